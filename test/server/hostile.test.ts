import { expect, test } from 'vitest';
import { exchange, startServer, statusIn } from './running-server.ts';

/** A request on a connection that is closed after its answer. */
function request(line: string, headers: readonly string[] = [], body = ''): string {
  return [`${line} HTTP/1.1`, 'Host: a', 'Connection: close', ...headers, '', body].join('\r\n');
}

const octets = 'Content-Type: application/octet-stream';
const post = (headers: readonly string[], body = ''): string =>
  request('POST /entries?wait=sequenced', headers, body);

const cases: readonly (readonly [name: string, sent: string, status: number])[] = [
  ['no type', post(['Content-Length: 1'], 'a'), 415],
  ['a type that is no entry', post(['Content-Type: text/html', 'Content-Length: 1'], 'a'), 415],
  ['a CBOR type', post(['Content-Type: application/cbor', 'Content-Length: 1'], 'a'), 415],
  ['a coding', post([octets, 'Content-Encoding: gzip', 'Content-Length: 1'], 'a'), 415],
  ['no body', post([octets, 'Content-Length: 0']), 400],
  ['declared too large', post([octets, 'Content-Length: 65536'], 'a'.repeat(65_536)), 413],
  ['declared beyond all bounds', post([octets, 'Content-Length: 99999999999999'], 'a'), 413],
  [
    'too large in one chunk',
    post([octets, 'Transfer-Encoding: chunked'], `10000\r\n${'a'.repeat(65_536)}\r\n0\r\n\r\n`),
    413,
  ],
  [
    'too large in many chunks',
    post([octets, 'Transfer-Encoding: chunked'], `1000\r\n${'a'.repeat(4096)}\r\n`.repeat(17)),
    413,
  ],
  ['a negative length', post([octets, 'Content-Length: -1']), 400],
  ['two lengths', post([octets, 'Content-Length: 1', 'Content-Length: 2'], 'a'), 400],
  [
    'a length and chunks',
    post([octets, 'Content-Length: 3', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    400,
  ],
  ['a chunk size that is none', post([octets, 'Transfer-Encoding: chunked'], 'zz\r\na\r\n'), 400],
  ['an unknown coding of the body', post([octets, 'Transfer-Encoding: foo'], 'a'), 400],
  [
    'an unknown wait',
    request('POST /entries?wait=forever', [octets, 'Content-Length: 1'], 'a'),
    400,
  ],
  [
    'wait twice',
    request('POST /entries?wait=included&wait=sequenced', [octets, 'Content-Length: 1'], 'a'),
    400,
  ],
  ['a polluting query', request('GET /entries?__proto__[a]=b'), 400],
  ['a query that breaks escapes', request('GET /entries?leafHash=%E0%A4%A'), 400],
  ['PUT', request('PUT /entries', ['Content-Length: 1'], 'a'), 405],
  ['DELETE', request('DELETE /entries/0'), 405],
  ['PATCH', request('PATCH /checkpoint'), 405],
  ['POST on a tile', request('POST /tile/0/000', ['Content-Length: 0']), 405],
  ['GET on the batch of another name', request('GET /add'), 405],
  ['TRACE', request('TRACE /'), 405],
  ['CONNECT', request('CONNECT a:443'), 0],
  ['a method that is none', request('HACK /'), 400],
  ['an escaped dot', request('GET /%2e%2e/etc/passwd'), 404],
  ['a parent', request('GET /../../etc/passwd'), 404],
  ['an escaped digit', request('GET /entries/%30'), 404],
  ['an escaped slash', request('GET /entries%2f0'), 404],
  ['a null byte', request('GET /entries/0%00'), 404],
  ['a double slash', request('GET //entries/0'), 404],
  ['another letter case', request('GET /Entries/0'), 404],
  ['a fragment', request('GET /healthz#a'), 404],
  ['a member of all objects', request('GET /constructor'), 404],
  ['the asterisk form', request('OPTIONS *'), 404],
  ['the absolute form', request('GET http://a.example/healthz'), 200],
  ['an absolute form of a hostile path', request('GET http://a.example/%2e%2e'), 404],
  ['an upgrade', request('GET /healthz', ['Upgrade: websocket', 'Connection: upgrade']), 200],
  ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ['HTTP of another version', 'GET /healthz HTTP/9.9\r\n\r\n', 400],
  ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['a header that is none', request('GET /healthz', ['a b: c']), 400],
  ['one large header', request('GET /healthz', [`A: ${'a'.repeat(20_000)}`]), 431],
  [
    'many headers',
    request(
      'GET /healthz',
      Array.from({ length: 3000 }, (_, i) => `A${i}: b`),
    ),
    431,
  ],
  ['a long path', request(`GET /${'a'.repeat(20_000)}`), 431],
  ['a long query', request(`GET /entries?${'a'.repeat(10_000)}=b`), 400],
  ['an expectation that is none', post([octets, 'Expect: magic', 'Content-Length: 1'], 'a'), 417],
];

test('after each hostile request the server goes on, and nothing was logged', async () => {
  const { port, log } = await startServer();
  for (const [name, sent, status] of cases) {
    const received = await exchange(port, sent);
    expect.soft(statusIn(received), name).toBe(status);
    if (status >= 400 && status !== 417) {
      expect.soft(received, name).toMatch(/content-type: application\/problem\+json/i);
      expect.soft(received, name).toContain('urn:daybook:error:');
    }
    const healthy = await exchange(port, request('GET /healthz'));
    expect(statusIn(healthy), `after ${name}`).toBe(200);
  }
  expect(log.status().size).toBe(1);
});

test('405 says what is allowed, OPTIONS too, and pages of other origins may only read', async () => {
  const { url } = await startServer();
  const put = await fetch(`${url}/entries`, { method: 'PUT', body: 'a' });
  expect(put.headers.get('allow')).toBe('GET, HEAD, POST');
  const options = await fetch(`${url}/entries`, { method: 'OPTIONS' });
  expect(options.status).toBe(204);
  expect(options.headers.get('allow')).toBe('GET, HEAD, POST');
  expect(options.headers.get('access-control-allow-methods')).toBe('GET, HEAD');
  const tile = await fetch(`${url}/tile/0/000`, { method: 'POST' });
  expect(tile.headers.get('allow')).toBe('GET, HEAD');
});

test('a client names its request where the name is harmless', async () => {
  const { url, port } = await startServer();
  const id = async (given: string): Promise<string | null> =>
    (await fetch(`${url}/healthz`, { headers: { 'X-Request-Id': given } })).headers.get(
      'x-request-id',
    );
  expect(await id('build-17.a_b')).toBe('build-17.a_b');
  for (const bad of ['a b', '<a>', 'a'.repeat(65)]) expect(await id(bad)).not.toBe(bad);
  const twice = await exchange(
    port,
    request('GET /healthz', ['X-Request-Id: a', 'X-Request-Id: b']),
  );
  expect(statusIn(twice)).toBe(200);
});

test('many requests on one connection are answered in their order', async () => {
  const { port } = await startServer();
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const received = await exchange(
    port,
    get('/healthz') + get('/nothing') + get('/tile/0/000.p/1') + request('GET /readyz'),
  );
  const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
  expect(statuses).toEqual(['200', '404', '200', '200']);
});
