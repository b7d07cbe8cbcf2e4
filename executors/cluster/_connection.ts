/**
 * Connections to Redis or Valkey, and what their errors mean.
 *
 * A connection reconnects until it is closed, with 0.1 to 2 seconds between attempts, and sends
 * again what was not answered. A socket that stays open and silent is given up after `silenceMs`.
 * Errors that trying again does not mend, such as a wrong password or certificate, reject
 * {@linkcode Connection.ready} at once.
 *
 * @module
 */

import { Redis, type RedisOptions } from "ioredis";
import { callAt, nowMs } from "../../_platform/clock.ts";
import { deferred, delay } from "./_promises.ts";
import { BrokerUnavailableError } from "./errors.ts";

/** TLS, for `rediss://`. */
export interface ClusterTls {
  /** Certificates of the authorities to trust, PEM. Default: those of the system. */
  readonly ca?: string | undefined;
  /** The client's own certificate, PEM, if the broker asks for one. */
  readonly cert?: string | undefined;
  /** The key of that certificate, PEM. */
  readonly key?: string | undefined;
  /** The name that the broker's certificate is for. Default: the host of the URL. */
  readonly servername?: string | undefined;
}

/** How to reach a broker. */
export interface BrokerAddress {
  readonly url: string;
  readonly tls?: ClusterTls;
  /** After this long without an answer, a connection is given up and made anew. */
  readonly silenceMs: number;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
const DISCONNECT_TIMEOUT_MS = 500;
const LAST_SOCKET_MS = DISCONNECT_TIMEOUT_MS + 20;

/** Time between a failed attempt and the next. */
export const READ_AGAIN_MS = 100;

/** The most entries of a stream that are read in one round trip. */
const ENTRIES_AT_ONCE = 1_000;

/** What brokers answer when they have no such database. */
const NO_DATABASE = /DB index|SELECT is not allowed/;

/** Errors that trying again does not mend. */
const REFUSALS: readonly [pattern: RegExp, advice: string][] = [
  [NO_DATABASE, "name a database in the URL that it has, as redis://host:6379/0"],
  [/WRONGPASS|invalid username-password|invalid password/i, "check user and password in the URL"],
  [/NOAUTH|Authentication required/i, "give user and password in the URL"],
  [/NOPERM/, "give the user the ACL that the documentation names"],
  [
    /certificate|self.signed|UNABLE_TO_|ERR_TLS|CERT_|UnknownIssuer|NotValidForName/i,
    "check the broker's certificate, and the authority given as `tls.ca`",
  ],
];

/** The broker's host and port, for messages: never the user or the password. */
export function placeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "the given URL";
}

/** A BrokerUnavailableError for an error of the client; its text says what to do. */
export function brokerError(act: string, url: string, error: unknown): BrokerUnavailableError {
  if (BrokerUnavailableError.is(error)) return error;
  forgetWords(error);
  const text = error instanceof Error ? error.message || error.name : String(error);
  const advice = REFUSALS.find(([pattern]) => pattern.test(text))?.[1] ??
    (isFull(error)
      ? "its memory is full; have workers drain the queue, shorten resultTtl, or raise maxmemory"
      : "see that it runs, and that the network lets this program reach it");
  return new BrokerUnavailableError(
    `Cannot ${act}: the broker at ${placeOf(url)} says "${text}"; ${advice}`,
    { cause: error },
  );
}

/**
 * Deletes the commands that the client attaches to an error: the password and tasks' arguments
 * among them must not get into a log.
 */
function forgetWords(error: unknown): void {
  if (!(error instanceof Error)) return;
  const noted = error as { command?: unknown; previousErrors?: unknown };
  delete noted.command;
  delete noted.previousErrors;
}

/** Whether it is an error that trying again does not mend. */
function isLasting(error: unknown): boolean {
  return error instanceof Error && REFUSALS.some(([pattern]) => pattern.test(error.message));
}

/**
 * Answers of a broker that is just being replaced, started, or kept busy. When a script gets one,
 * older versions put words of their own and a dash before it.
 */
const PASSING =
  /(?:^|-)(?:READONLY|BUSY|LOADING|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|NOREPLICAS)(?: |$)/;

/** Whether the broker refuses for the moment only. */
export function isPassing(error: unknown): boolean {
  return error instanceof Error && PASSING.test(error.message);
}

/** Whether the broker has no memory left for what was sent. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

/**
 * Whether the broker itself has answered with a lasting error, so that asking again is of no use.
 */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && !isPassing(error) &&
    (error.name === "ReplyError" || /^(OOM|NOPERM)\b/.test(error.message));
}

/**
 * Calls `act`, and calls it again while it fails with an error that `isWorthwhile` accepts, for at
 * most `ms`.
 */
export async function insist<T>(
  ms: number,
  isWorthwhile: (error: unknown) => boolean,
  act: () => Promise<T>,
): Promise<T> {
  const deadlineMs = nowMs() + ms;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isWorthwhile(error) || nowMs() >= deadlineMs) throw error;
    }
    await delay(READ_AGAIN_MS);
  }
}

const ENCODE = 'write "/", "?", "#", "@" and "%" in user and password as encodeURIComponent() does';

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(`Cannot connect: user or password in the URL have a lone "%"; ${ENCODE}`);
  }
}

/**
 * The server name to ask for. An IP address is not one; a certificate may still be for an address.
 */
function servernameOf(host: string): { servername?: string } {
  const isAddress = host.includes(":") || /^[\d.]+$/.test(host);
  return isAddress ? {} : { servername: host };
}

/** Makes the client's options from an address, which it checks. */
function optionsOf({ url, tls, silenceMs }: BrokerAddress): RedisOptions {
  const example = "redis://user:password@host:6379, or rediss:// for TLS";
  if (!URL.canParse(url)) {
    throw new TypeError(`Cannot connect: the URL is none; expected ${example}`);
  }
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(url);
  if (protocol !== "redis:" && protocol !== "rediss:") {
    throw new TypeError(`Cannot connect: unknown protocol "${protocol}"; expected ${example}`);
  }
  if (tls !== undefined && protocol === "redis:") {
    throw new TypeError(
      "Cannot connect: `tls` was given for a redis:// URL, which is not encrypted; write rediss://",
    );
  }
  const isDatabase = /^\/?\d*$/.test(pathname);
  if (!isDatabase || `${search}${hash}`.includes("@")) {
    // The text does not quote it: it may be the rest of a password.
    throw new TypeError(
      `Cannot connect: what follows the host in the URL is not the number of a database; ${ENCODE}`,
    );
  }
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: port === "" ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    ...(username === "" ? {} : { username: decode(username) }),
    ...(password === "" ? {} : { password: decode(password) }),
    ...(protocol === "rediss:" ? { tls: { ...servernameOf(host), ...tls } } : {}),
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: Math.min(CONNECT_TIMEOUT_MS, silenceMs),
    socketTimeout: silenceMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: (times) =>
      Math.min(FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10), LAST_RETRY_MS),
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  };
}

/**
 * Checks an address without connecting.
 *
 * @throws {TypeError} When it is none; the text never holds the password.
 */
export function checkAddress(address: BrokerAddress): void {
  optionsOf(address);
}

/** One connection, which reconnects until it is closed. */
export class Connection {
  readonly redis: Redis;
  readonly #url: string;
  readonly #silenceMs: number;
  readonly #onTrouble: (error: Error) => void;
  /** Why there is no connection; `undefined` while there is one. */
  #lastError: unknown;
  #onRefusal: ((error: unknown) => void) | undefined;
  #closed = false;

  /** @param onTrouble Called with errors that the connection gets over by itself. */
  constructor(address: BrokerAddress, onTrouble: (error: Error) => void) {
    this.#url = address.url;
    this.#silenceMs = address.silenceMs;
    this.#onTrouble = onTrouble;
    this.redis = new Redis(optionsOf(address));
    this.redis.on("error", (error: Error) => {
      this.#lastError = error;
      if (isLasting(error)) this.#onRefusal?.(error);
      // The client would go on in another database.
      if (NO_DATABASE.test(error.message)) this.redis.disconnect();
      if (!this.#closed) onTrouble(error);
    });
    this.redis.on("ready", () => this.#lastError = undefined);
    // What it rejects with is also emitted as an event.
    this.redis.connect().catch(() => {});
  }

  /**
   * Resolves once the broker answers.
   *
   * @throws {BrokerUnavailableError} When it refuses, or does not answer in time.
   */
  ready(timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    const fail = (error: unknown): void => reject(brokerError("connect", this.#url, error));
    const stopTimer = callAt(nowMs() + timeoutMs, () => fail(this.unanswered(timeoutMs)));
    this.#onRefusal = fail;
    if (isLasting(this.#lastError)) fail(this.#lastError);
    this.redis.ping().then(() => resolve(), fail);
    return promise.finally(() => {
      stopTimer();
      this.#onRefusal = undefined;
    });
  }

  /** The error that tells why nothing was answered within `timeoutMs`. */
  unanswered(timeoutMs: number): unknown {
    return this.#lastError ?? new Error(`no answer within ${timeoutMs} ms`);
  }

  /** The error that tells why a command failed: the client says only that it is closed. */
  reasonOf(error: unknown): unknown {
    const isClosed = error instanceof Error && error.message === "Connection is closed.";
    return isClosed ? this.#lastError ?? error : error;
  }

  /**
   * Reads a stream, from its present end, until the connection is closed. The connection must be
   * used for nothing else.
   *
   * @param onEntry Called with each entry: names and values, alternating.
   */
  async follow(key: string, onEntry: (entry: readonly string[]) => void): Promise<void> {
    // Shorter than the silence after which the connection would be given up.
    const waitMs = Math.ceil(this.#silenceMs / 3);
    let last: string | undefined;
    while (!this.#closed) {
      try {
        if (last === undefined) {
          // Reading from "$" would miss what comes between two reads.
          const [entry] = await this.redis.xrevrange(key, "+", "-", "COUNT", 1);
          last = entry?.[0] ?? "0-0";
        }
        const answer = await this.redis.xread(
          "COUNT",
          ENTRIES_AT_ONCE,
          "BLOCK",
          waitMs,
          "STREAMS",
          key,
          last,
        );
        for (const [id, entry] of answer?.[0][1] ?? []) {
          last = id;
          onEntry(entry);
        }
      } catch (error) {
        if (this.#closed) return;
        this.#onTrouble(error as Error);
        await delay(READ_AGAIN_MS);
      }
    }
  }

  /** Closes the connection; resolves once its socket is gone. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.redis.status === "end") return;
    const ended = new Promise<void>((resolve) => this.redis.once("end", () => resolve()));
    const wasBetween = this.redis.status === "reconnecting";
    this.redis.disconnect();
    // Between two attempts there is no socket: the client then emits no `end`, and waits in vain
    // for its last socket to close.
    if (wasBetween) return await delay(LAST_SOCKET_MS);
    await ended;
  }
}
