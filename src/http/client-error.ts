/** Answers to what never became a request: broken, oversized and slow heads, which Node refuses itself. */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DaybookError } from '../errors.ts';
import { problemOf, problemType } from './problem.ts';

function refusal(code: string | undefined): DaybookError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new DaybookError('headers-too-large', 'the request line and headers are too large');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new DaybookError('request-timeout', 'the request did not come in completely in time');
  }
  return new DaybookError('bad-request', 'this is not an HTTP/1.1 request');
}

export function answerClientErrors(http: Server): void {
  const answering = new WeakMap<Socket, ServerResponse>();
  http.prependListener('request', (req, res) => answering.set(req.socket, res));
  http.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // In the middle of an answer a second one would be read as part of it.
    const response = answering.get(socket);
    const inAnswer = response !== undefined && response.headersSent && !response.writableFinished;
    if (!socket.writable || inAnswer) {
      socket.destroy();
      return;
    }
    const refused = refusal(error.code);
    const problem = JSON.stringify(problemOf(refused));
    socket.end(
      `HTTP/1.1 ${refused.status} ${refused.title}\r\n` +
        `Content-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(problem)}\r\n` +
        `Connection: close\r\n\r\n${problem}`,
    );
  });
}
