/** What commands that run until they are stopped share: where they listen, and how they end. */
import type { AddressInfo } from 'node:net';
import { DaybookError } from '../errors.ts';
import { fail } from './output.ts';

interface Listening {
  listen(port: number, host: string): Promise<AddressInfo>;
}

/** The URL at which it listens now, without a slash at its end. Throws `bad-usage`. */
export async function listenOn(
  service: Listening,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<string> {
  try {
    const address = await service.listen(port, host);
    const name = host === '127.0.0.1' || host === '::1' ? 'localhost' : host;
    return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'it is in use; choose another with --port' : message;
    throw new DaybookError('bad-usage', `cannot listen on ${host} port ${port}: ${reason}`, {
      cause,
    });
  }
}

/** Runs `stop` once on SIGTERM or SIGINT, and exits with 0 when it resolved. */
export function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const stopOnce = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    try {
      await stop();
      process.exitCode = 0;
    } catch (error) {
      fail(error);
    }
    // npm passes Ctrl-C on a second time: were Node left to take itself down, that could end it by the signal.
    process.exit();
  };
  process.on('SIGTERM', () => void stopOnce());
  process.on('SIGINT', () => void stopOnce());
}
