/** The Atom feed and the metrics, read as a feed reader and Prometheus read them. */
import fc from 'fast-check';
import { pino } from 'pino';
import { SaxesParser } from 'saxes';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpFace } from '../../src/http/face.ts';
import { alertRoutes } from '../../src/monitor/alert-routes.ts';
import type { Alert } from '../../src/monitor/alert.ts';
import { Change } from '../../src/monitor/change.ts';
import { formatFeed } from '../../src/monitor/feed.ts';
import { MonitorMetrics } from '../../src/monitor/metrics.ts';
import { Outbox } from '../../src/monitor/outbox.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
  readonly children: Element[];
}

/** Throws for whatever is not well-formed. */
function parseXml(xml: string): Element {
  const root: Element = { name: '', attributes: {}, text: '', children: [] };
  const open = [root];
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ local, uri, attributes }) => {
    if (uri !== 'http://www.w3.org/2005/Atom') throw new Error(`${local} of ${uri}`);
    const values = Object.entries(attributes).map(([name, { value }]) => [name, value]);
    const element = {
      name: local,
      attributes: Object.fromEntries(values) as Record<string, string>,
      text: '',
      children: [],
    };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => (open.at(-1)!.text += text));
  parser.on('closetag', () => open.pop());
  parser.write(xml).close();
  return root.children[0]!;
}

const texts = ({ children }: Element, name: string): string[] =>
  children.filter((child) => child.name === name).map(({ text }) => text);

const id = 'urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427';
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const anAlert: Alert = {
  id: '3f0c',
  rule: 'withdrawal',
  severity: 'notice',
  origin: 'log.acme.example',
  at: 1_795_500_000,
  index: 7,
  title: 'pkg:generic/acme/scanner@1?a=b&c="d" <is> withdrawn',
  detail: ']]> & </content>',
};

test('an empty feed and one with alerts have what RFC 4287 demands', () => {
  for (const alerts of [[], [anAlert, { ...anAlert, id: '3f0d', at: 1 }]]) {
    const feed = parseXml(formatFeed({ id, alerts, self: 'alerts.atom' }));
    expect(texts(feed, 'id')).toEqual([id]);
    expect(texts(feed, 'title')).toHaveLength(1);
    expect(texts(feed, 'updated')[0]).toMatch(rfc3339);
    expect(feed.children.find(({ name }) => name === 'author')?.children[0]?.name).toBe('name');
    const entries = feed.children.filter(({ name }) => name === 'entry');
    expect(entries.flatMap((entry) => texts(entry, 'id'))).toEqual(
      alerts.map((alert) => `urn:daybook:alert:${alert.id}`),
    );
    for (const entry of entries) {
      expect(texts(entry, 'title')).toEqual([anAlert.title]);
      expect(texts(entry, 'updated')[0]).toMatch(rfc3339);
      expect(texts(entry, 'content')[0]).toBe(`${anAlert.detail}\nLog log.acme.example, entry 7`);
    }
  }
});

test('whatever strangers logged stays text', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom('<', '&', '>', '"', ']', '\0', '\u001b', '\ud800', '\ufffe', 'x'),
    }),
  );
  fc.assert(
    fc.property(hostile, hostile, (title, detail) => {
      const alerts = [{ ...anAlert, title, detail }];
      const feed = parseXml(formatFeed({ id, alerts, self: 'alerts.atom' }));
      const entries = feed.children.filter(({ name }) => name === 'entry');
      expect(entries.map(({ children }) => children.length)).toEqual([6]);
    }),
  );
});

test('feed, list and metrics over HTTP', async () => {
  const store = await openRecordStore(await temporaryDirectory(), { create: true });
  const waits = { name: 'hook', deliver: () => new Promise<void>(() => undefined) };
  const outbox = await Outbox.open(store, [waits], { report: () => undefined });
  const metrics = new MonitorMetrics(outbox);
  const face = createHttpFace({
    logger: pino({ level: 'silent' }),
    routes: (router) => alertRoutes(router, outbox, metrics),
  });
  const { port } = await face.listen(0, '127.0.0.1');
  onTestFinished(async () => {
    await face.stop();
    await store.close();
  });
  const get = (path: string, headers = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const empty = await get('/alerts.atom');
  expect(empty.headers.get('content-type')).toBe('application/atom+xml; charset=utf-8');
  const etag = empty.headers.get('etag')!;
  parseXml(await empty.text());
  expect((await get('/alerts.atom', { 'if-none-match': etag })).status).toBe(304);

  const change = new Change(outbox.records, outbox.raise, 0);
  change.raise(anAlert);
  await change.commit();
  const feed = parseXml(await (await get('/alerts.atom', { 'if-none-match': etag })).text());
  expect(texts(feed, 'entry')).toHaveLength(1);
  expect(await (await get('/alerts')).json()).toEqual({ alerts: [anAlert] });

  metrics.sawHead('log.acme.example', 12);
  metrics.audited({ origin: 'log.acme.example', size: 11, findings: 1 });
  metrics.polled({ origin: 'log.acme.example', at: 5, ok: true });
  metrics.polled({ origin: 'log.acme.example', at: 9, ok: false });
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await answer.text()).split('\n');
  const of = '{origin="log.acme.example"';
  for (const line of [
    `daybook_monitor_log_size${of}} 12`,
    `daybook_monitor_audited_size${of}} 11`,
    `daybook_monitor_findings${of}} 1`,
    `daybook_monitor_last_success_timestamp_seconds${of}} 5`,
    `daybook_monitor_polls_total${of},outcome="ok"} 1`,
    `daybook_monitor_polls_total${of},outcome="failed"} 1`,
    'daybook_monitor_alerts_total{rule="withdrawal",severity="notice"} 1',
    'daybook_monitor_undelivered_alerts{target="hook"} 1',
  ]) {
    expect(lines).toContain(line);
  }
});
