import { expect, test } from 'vitest';
import { Http, pause, retryAfter, type HttpOptions } from '../../src/http/outbound.ts';
import { problem } from '../client/memory-log.ts';

type Answers = (() => Response | Promise<Response>)[];

/** Gives one answer after the other, the last one for ever. */
function answering(...answers: Answers): { fetch: typeof fetch; asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    fetch: async () => answers[Math.min(asked++, answers.length - 1)]!(),
  };
}

const options = (fetch: HttpOptions['fetch'], more: HttpOptions = {}): HttpOptions => ({
  ...(fetch && { fetch }),
  backoffMs: 1,
  ...more,
});
const ok = (): Response => new Response('fine');
const lost = (): Response => {
  throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') });
};
const get = { maxBytes: 100 };
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

test('asks again after an answer that was lost and after those that pass', async () => {
  const answers = [lost, 429, 502, 503, 504].map((status) =>
    typeof status === 'number'
      ? () => new Response('', { status, headers: { 'retry-after': '0' } })
      : status,
  );
  const { fetch, asked } = answering(...answers, ok);
  const { body } = await new Http('http://log.example', options(fetch)).call('checkpoint', get);
  expect(Buffer.from(body).toString()).toBe('fine');
  expect(asked()).toBe(6);
});

test('gives up after the tries that it has, with the last reason', async () => {
  const { fetch, asked } = answering(lost);
  const call = new Http('http://log.example', options(fetch, { attempts: 3 })).call(
    'checkpoint',
    get,
  );
  await expect(call).rejects.toThrow(code('network'));
  await expect(call).rejects.toThrow(
    'GET http://log.example/checkpoint failed: connect ECONNREFUSED 127.0.0.1:1',
  );
  expect(asked()).toBe(3);
});

test.each([
  [400, 'bad-entry'],
  [403, 'not-admitted'],
  [409, 'admission-conflict'],
  [500, 'internal'],
] as const)('does not repeat a request that was refused with %i', async (status, name) => {
  const { fetch, asked } = answering(() => problem(status, name));
  const call = new Http('http://log.example', options(fetch)).call('entries', {
    ...get,
    method: 'POST',
  });
  await expect(call).rejects.toThrow(code(name));
  await expect(call).rejects.toThrow(
    `POST http://log.example/entries answered ${status}: told ${name}`,
  );
  expect(asked()).toBe(1);
});

test.each([
  [404, 'not-found'],
  [413, 'entry-too-large'],
  [418, 'bad-request'],
  [429, 'rate-limited'],
  [503, 'overloaded'],
  [500, 'network'],
] as const)(
  'takes %i without problem details, or with a code that is none, for %s',
  async (status, name) => {
    for (const body of [
      '<html>',
      '{"code":"constructor","detail":7}',
      'null',
      '"x"',
      '{"code":"store-',
    ]) {
      const { fetch } = answering(() => new Response(body, { status }));
      const call = new Http('http://log.example', options(fetch, { attempts: 1 })).call('x', get);
      await expect(call).rejects.toThrow(code(name));
    }
  },
);

test('does not wait for a log that wants a long pause', async () => {
  const busy = (): Response => problem(503, 'overloaded', { 'retry-after': '3600' });
  const { fetch, asked } = answering(busy);
  await expect(new Http('http://log.example', options(fetch)).call('x', get)).rejects.toThrow(
    code('overloaded'),
  );
  expect(asked()).toBe(1);
});

test('stops reading an answer that is too long, whatever its length says', async () => {
  let sent = 0;
  const endless = (): Response =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent += 1024;
          controller.enqueue(new Uint8Array(1024));
        },
      }),
      { headers: { 'content-length': '5' } },
    );
  const { fetch, asked } = answering(endless);
  const call = new Http('http://log.example', options(fetch)).call('x', { maxBytes: 10_000 });
  await expect(call).rejects.toThrow('answered more than 10000 bytes');
  expect(sent).toBeLessThan(20_000);
  expect(asked()).toBe(1);
});

test('gives up a try that takes too long', async () => {
  const never: typeof fetch = (_, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    });
  const http = new Http('http://log.example', options(never, { attempts: 2, timeoutMs: 5 }));
  await expect(http.call('x', get)).rejects.toThrow(code('network'));
});

test('ends with the reason of the caller’s signal', async () => {
  const busy = (): Response => problem(503, 'overloaded', { 'retry-after': '30' });
  const aborting = new AbortController();
  const { fetch } = answering(() => {
    setTimeout(() => aborting.abort(new Error('enough')), 1);
    return busy();
  });
  const call = new Http('http://log.example', options(fetch)).call('x', {
    ...get,
    signal: aborting.signal,
  });
  await expect(call).rejects.toThrow('enough');
  await expect(pause(1, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});

test.each([
  ['http://log.example', 'http://log.example/checkpoint'],
  ['https://log.example:444/prefix', 'https://log.example:444/prefix/checkpoint'],
  ['http://log.example/prefix/?x=1#y', 'http://log.example/prefix/checkpoint'],
])('asks below %s', async (url, expected) => {
  let asked = '';
  const fetch: HttpOptions['fetch'] = async (input) => {
    asked = input instanceof URL ? input.href : '';
    return ok();
  };
  await new Http(url, options(fetch)).call('checkpoint', get);
  expect(asked).toBe(expected);
});

test.each(['', 'log.example', 'ftp://log.example', 'file:///etc/passwd', '/x'])(
  'refuses the URL "%s"',
  (url) => {
    expect(() => new Http(url)).toThrow(code('bad-usage'));
  },
);

test('reads Retry-After as seconds or a date', () => {
  const wait = (value: string): number | undefined =>
    retryAfter(new Headers({ 'retry-after': value }));
  expect(wait('7')).toBe(7000);
  expect(wait(new Date(Date.now() + 5000).toUTCString())).toBeGreaterThan(3000);
  expect(wait('Tue, 01 Jan 2002 00:00:00 GMT')).toBe(0);
  expect(wait('soon')).toBeUndefined();
  expect(retryAfter(new Headers())).toBeUndefined();
});
