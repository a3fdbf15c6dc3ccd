/** GET /: a short page for people, without scripts, until the Transparency Center is there. */
import { hash } from 'node:crypto';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { answer } from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import type { Service } from './service.ts';

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}' +
  'pre{overflow-x:auto;background:#8881;padding:.75rem}' +
  ':root{color-scheme:light dark}';
const policy = `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}

function render({ log }: Service): string {
  const { note, size } = log.published;
  const { mode, issuers } = log.admission;
  const origin = escapeHtml(log.origin);
  const active = [...issuers.values()].filter(({ revoked }) => !revoked);
  const admitted =
    mode === 'open' ? 'anyone' : `${active.length} registered <a href="/admission">issuers</a>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${origin}</title>
<style>${style}</style>
<h1>${origin}</h1>
<p>A Daybook transparency log of ${size} entries, open for reading to anyone, for writing to ${admitted}.</p>
<h2>Public keys (vkeys)</h2>
<pre>${log.vkeys.map(escapeHtml).join('\n')}</pre>
<p>Take them from whoever runs this log by a way you trust, not from this page.</p>
<h2>Newest checkpoint</h2>
<pre>${escapeHtml(decodeUtf8(note))}</pre>
<ul>
<li><a href="/checkpoint">/checkpoint</a> and /tile/…: the whole log for monitors (C2SP tlog-tiles)
<li><a href="/entries/0">/entries/0</a>: the genesis entry
<li><a href="/proofs/entry/0">/proofs/entry/0</a>: its proof file
<li><a href="/openapi.json">/openapi.json</a>: everything that can be asked here
<li><a href="/readyz">/readyz</a>: how the log is
</ul>
</html>
`;
}

export function pageOperation(service: Service): Operation {
  const type = 'text/html; charset=utf-8';
  return operation({
    method: 'get',
    path: '/',
    summary: 'A page for people.',
    answers: { 200: { description: 'HTML.', content: { 'text/html': undefined } } },
    handle: (ctx) => answer(ctx, 200, ['Content-Type', type], render(service), policy),
  });
}
