/**
 * Caches on the way to a log, as a content delivery network has: several nodes, each of which keeps a
 * checkpoint for a while, whatever the client asks for. So newer ones come before older ones.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Random } from './random.ts';

interface Kept {
  readonly note: Buffer;
  readonly until: number;
}

export class StaleCache {
  readonly #random: Random;
  readonly #keepMs: number;
  readonly #nodes: (Kept | undefined)[];
  readonly #server = createServer((req, res) => {
    this.#answer(req, res).catch(() => res.destroy());
  });
  /** Of the log. */
  #port = 0;

  private constructor(random: Random, nodes: number, keepMs: number) {
    this.#random = random;
    this.#keepMs = keepMs;
    this.#nodes = Array<undefined>(nodes).fill(undefined);
  }

  static async open(random: Random, nodes: number, keepMs: number): Promise<StaleCache> {
    const cache = new StaleCache(random, nodes, keepMs);
    cache.#server.listen(0, '127.0.0.1');
    await once(cache.#server, 'listening');
    return cache;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  lead(port: number): void {
    this.#port = port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.url !== '/checkpoint') {
      const answer = await this.#ask(req);
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
      return;
    }
    const node = this.#random.whole(0, this.#nodes.length - 1);
    const kept = this.#nodes[node];
    const note = kept && kept.until > performance.now() ? kept.note : await this.#fetch(req, node);
    res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(note);
  }

  async #fetch(req: IncomingMessage, node: number): Promise<Buffer> {
    const answer = await this.#ask(req);
    const note = await buffer(answer);
    if (answer.statusCode !== 200) throw new Error(`the log answers ${answer.statusCode}`);
    this.#nodes[node] = { note, until: performance.now() + this.#keepMs };
    return note;
  }

  async #ask({ url, headers }: IncomingMessage): Promise<IncomingMessage> {
    const asked = request({
      host: '127.0.0.1',
      port: this.#port,
      path: url,
      headers,
      agent: false,
    });
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  }
}
