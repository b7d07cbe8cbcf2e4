/**
 * A private redis-server for a test: on a free port of this machine, in a temporary folder, and
 * always ended by its pid.
 *
 * Where redis-server is not installed, the tests are ignored, and a line says so; on CI, which sets
 * the variable `CI`, they fail instead.
 *
 * @module
 */

import { certificates } from "./certificates.ts";
import { runCommand } from "./run.ts";
// Makes a test fail that leaves a server behind.
import "./processes.ts";

/** Time within which a started server must answer: it may have a file of commands to load. */
const START_TIMEOUT_MS = 10_000;

/** Time limit of one command. */
const COMMAND_TIMEOUT_MS = 10_000;

const POLL_MS = 10;

/** How many ports are tried, as another program may take one before the server does. */
const PORT_ATTEMPTS = 5;

const isMissing = !["redis-server", "redis-cli"].every(isInPath);
if (isMissing) {
  console.warn(
    "Tests with a broker are left out: redis-server is not in PATH; install it (Debian: package redis-server)",
  );
}

/** The options of a test that needs a server. */
export const NEEDS_REDIS = { ignore: isMissing && !Deno.env.get("CI") };

function isInPath(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Options of {@linkcode startRedis}. */
export interface RedisOptions {
  /** Whether its data survives its end. Default `true`. */
  persistent?: boolean;
  /** Bytes of memory that it may use; beyond that it refuses to store more. Default: no limit. */
  maxmemory?: number;
  /**
   * A user to create: name, password, and rules of what this user may do. The default user, who
   * needs no password, is then locked out.
   */
  user?: { name: string; password: string; rules: string };
  /** Whether it speaks TLS only, with certificates made for `localhost`, or for the given name. */
  tls?: boolean | string;
}

/** A server that runs while the test does. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Its address, without a user. */
  readonly url: string;
  /** With `tls`, the certificate of the authority that has signed the server's certificate. */
  readonly ca: string | undefined;
  /** With `tls`, the file of that certificate. */
  readonly caFile: string | undefined;
  /** Sends a command, as the administrator; returns the answer as text. */
  command(...words: string[]): Promise<string>;
  /** Like {@linkcode RedisServer.command}, blocking this thread. */
  commandSync(...words: string[]): string;
  /** One number of the server's `INFO`. */
  info(name: string): Promise<number>;
  /**
   * Resolves once the server has answered a command with an error that begins with this word, since
   * its start or the last `CONFIG RESETSTAT`.
   */
  refused(error: string): Promise<void>;
  /** Kills it without warning, as a crash of its machine would. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and folder. */
  restart(): Promise<void>;
}

/** The servers that run now: they are killed if the test runner ends in the middle of a test. */
const running = new Set<Deno.ChildProcess>();
addEventListener("unload", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The password of the user who may do everything. */
const ADMIN_PASSWORD = "admin-of-this-test";

/** Starts a server; it is killed, and its folder removed, at the end of the `using` block. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const folder = await Deno.makeTempDir({ prefix: "futures-redis-" });
  try {
    const tls = options.tls
      ? await certificates(folder, options.tls === true ? undefined : options.tls)
      : undefined;
    for (let attempt = 1;; attempt++) {
      const server = new Server(folder, freePort(), options, tls?.caFile);
      try {
        await server.restart();
        return server;
      } catch (error) {
        await server.kill();
        if (attempt === PORT_ATTEMPTS || !String(error).includes("in use")) throw error;
      }
    }
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** A port on which nobody listens at the moment. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

class Server implements RedisServer {
  readonly url: string;
  readonly ca: string | undefined;
  #child: Deno.ChildProcess | undefined;

  constructor(
    readonly folder: string,
    readonly port: number,
    readonly options: RedisOptions,
    readonly caFile: string | undefined,
  ) {
    this.url = caFile === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`;
    this.ca = caFile === undefined ? undefined : Deno.readTextFileSync(caFile);
  }

  #configuration(): string {
    const { persistent = true, maxmemory, user } = this.options;
    const port = this.caFile === undefined ? [`port ${this.port}`] : [
      "port 0",
      `tls-port ${this.port}`,
      "tls-cert-file server.pem",
      "tls-key-file server.key",
      "tls-ca-cert-file ca.pem",
      "tls-auth-clients no",
    ];
    return [
      ...port,
      "bind 127.0.0.1",
      `dir ${this.folder}`,
      "daemonize no",
      'save ""',
      `appendonly ${persistent ? "yes" : "no"}`,
      "appendfsync no",
      "maxmemory-policy noeviction",
      ...(maxmemory === undefined ? [] : [`maxmemory ${maxmemory}`]),
      ...(user === undefined ? [] : [
        `user default off`,
        `user admin on >${ADMIN_PASSWORD} ~* &* +@all`,
        `user ${user.name} on >${user.password} ${user.rules}`,
      ]),
      "",
    ].join("\n");
  }

  async restart(): Promise<void> {
    const file = `${this.folder}/redis.conf`;
    await Deno.writeTextFile(file, this.#configuration());
    const logFile = `${this.folder}/redis.log`;
    const child = new Deno.Command("redis-server", {
      args: [file, "--logfile", logFile],
      cwd: this.folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#child = child;
    running.add(child);
    let hasEnded = false;
    child.status.then(() => {
      hasEnded = true;
      running.delete(child);
    });
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const answer = await this.#cli(["PING"]);
      if (answer.code === 0 && answer.stdout === "PONG\n") return;
      if (hasEnded || performance.now() > deadlineMs) {
        const log = await Deno.readTextFile(logFile).catch(() => "");
        throw new Error(
          `Cannot start redis-server: ${answer.stderr || answer.stdout}${log.slice(-1000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The arguments that redis-cli needs before the command. */
  #cliWords(): string[] {
    const address = this.caFile === undefined
      ? ["-h", "127.0.0.1"]
      : ["-h", "localhost", "--tls", "--cacert", this.caFile];
    const user = this.options.user === undefined
      ? []
      : ["--user", "admin", "--pass", ADMIN_PASSWORD, "--no-auth-warning"];
    return [...address, "-p", String(this.port), ...user];
  }

  #cli(words: string[]) {
    return runCommand("redis-cli", [...this.#cliWords(), ...words], {
      cwd: this.folder,
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }

  commandSync(...words: string[]): string {
    const { code, stdout, stderr } = new Deno.Command("redis-cli", {
      args: [...this.#cliWords(), "-e", ...words],
    }).outputSync();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (code !== 0) throw new Error(`Cannot run ${words[0]}: ${text(stderr)}${text(stdout)}`);
    return text(stdout).trimEnd();
  }

  async command(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#cli(["-e", ...words]);
    if (code !== 0) throw new Error(`Cannot run ${words[0]}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  }

  async info(name: string): Promise<number> {
    const text = new RegExp(`^${name}:(\\d+)`, "m").exec(await this.command("INFO"))?.[1];
    if (text === undefined) throw new Error(`Cannot read ${name}: INFO has no such number`);
    return Number(text);
  }

  async refused(error: string): Promise<void> {
    const deadlineMs = performance.now() + COMMAND_TIMEOUT_MS;
    while (!(await this.command("INFO", "errorstats")).includes(`errorstat_${error}:`)) {
      if (performance.now() > deadlineMs) throw new Error(`Nothing was answered with ${error}`);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (running.has(child)) child.kill("SIGKILL");
    await child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }
}
