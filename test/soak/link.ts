/** A TCP connection's way from one party to another, which can be slow, cut, or lead elsewhere. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #from: string;
  #port: number;
  #state: 'up' | 'refusing' | 'silent' = 'up';
  /** Milliseconds that each piece takes, in each direction, on connections made from now on. */
  delayMs = 0;

  private constructor(port: number, from: string) {
    this.#port = port;
    this.#from = from;
    this.#server = createServer((socket) => this.#carry(socket));
  }

  /** To a port of this machine; `from` is the address that the other end sees. */
  static async open(port: number, from = '127.0.0.1'): Promise<Link> {
    const link = new Link(port, from);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Leads to another port; connections to the one before break. */
  lead(port: number): void {
    this.#port = port;
    this.#break();
  }

  /** A silent link takes connections and carries nothing; otherwise they are refused. */
  cut(silent: boolean): void {
    this.#state = silent ? 'silent' : 'refusing';
    this.#break();
  }

  heal(): void {
    if (this.#state === 'up') return;
    this.#state = 'up';
    this.#break();
  }

  close(): void {
    this.#server.close();
    this.#break();
  }

  #break(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(near: Socket): void {
    this.#keep(near);
    if (this.#state === 'refusing') near.destroy();
    if (this.#state !== 'up') return;
    const far = connect({ port: this.#port, host: '127.0.0.1', localAddress: this.#from });
    this.#keep(far);
    join(near, far, this.delayMs);
    join(far, near, this.delayMs);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // A reset ends it as well.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

function join(from: Socket, to: Socket, delayMs: number): void {
  const later = (act: () => void): void => {
    if (delayMs === 0) act();
    else setTimeout(act, delayMs);
  };
  from.on('data', (piece) => later(() => to.write(piece)));
  from.on('end', () => later(() => to.end()));
  from.on('close', () => later(() => to.destroy()));
}
