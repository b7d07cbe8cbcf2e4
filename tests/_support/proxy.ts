/** A connection to a server that a test can cut, or turn into a black hole, as networks do. */

/** A TCP proxy that runs while the test does. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections it carries now. */
  readonly connections: number;
  /**
   * From now on nothing gets through in either direction, and neither end notices: connections stay
   * open, and new ones can be made.
   */
  blackHole(): void;
  /** Closes all connections. New ones can be made. */
  cut(): void;
  /**
   * New connections get through again. Those that fell into the black hole stay there, like those
   * of a lost route.
   */
  recover(): void;
}

/**
 * Starts a proxy to a port of this machine; at the end of the `using` block it is closed, with its
 * connections.
 */
export function startProxy(target: number): Proxy {
  return new TcpProxy(target);
}

interface Pair {
  readonly ends: Deno.TcpConn[];
  isLost: boolean;
}

class TcpProxy implements Proxy {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #pairs = new Set<Pair>();
  readonly #running: Promise<void>;
  #isBlackHole = false;

  constructor(readonly target: number) {
    this.#running = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  blackHole(): void {
    this.#isBlackHole = true;
    for (const pair of this.#pairs) pair.isLost = true;
  }

  cut(): void {
    for (const { ends } of this.#pairs) ends.forEach(close);
  }

  recover(): void {
    this.#isBlackHole = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#running;
  }

  async #accept(): Promise<void> {
    const carried: Promise<void>[] = [];
    for await (const client of this.#listener) carried.push(this.#carry(client));
    this.cut();
    await Promise.all(carried);
  }

  async #carry(client: Deno.TcpConn): Promise<void> {
    client.setNoDelay();
    const pair: Pair = { ends: [client], isLost: this.#isBlackHole };
    this.#pairs.add(pair);
    try {
      if (pair.isLost) return await pump(client, undefined, pair);
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
      server.setNoDelay();
      pair.ends.push(server);
      await Promise.all([pump(client, server, pair), pump(server, client, pair)]);
    } catch {
      // The server is not there: the client learns of it as it would from the server itself, by the
      // end of the connection.
    } finally {
      pair.ends.forEach(close);
      this.#pairs.delete(pair);
    }
  }
}

/** Forwards what one end sends until either end closes. Swallows it once the pair is lost. */
async function pump(from: Deno.TcpConn, to: Deno.TcpConn | undefined, pair: Pair): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) break;
      if (pair.isLost || to === undefined) continue;
      for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
    }
  } catch {
    // Closed by the other direction, or by the test.
  } finally {
    // In a black hole, neither end learns that the other has closed.
    if (!pair.isLost) pair.ends.forEach(close);
  }
}

function close(end: Deno.TcpConn): void {
  try {
    end.close();
  } catch {
    // It is closed already.
  }
}
