/** Alerts as an Atom feed (RFC 4287): `GET /alerts.atom`. */
import type { Alert } from './alert.ts';

export interface Feed {
  /** A URN that never changes. */
  readonly id: string;
  /** The newest first. */
  readonly alerts: readonly Alert[];
  /** Where it is served; absolute or relative. */
  readonly self: string;
}

/** XML, UTF-8. What is not allowed in XML is left out: texts may quote what strangers logged. */
export function formatFeed({ id, alerts, self }: Feed): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `<id>${escaped(id)}</id>`,
    '<title>Daybook monitor: alerts</title>',
    `<updated>${timeOf(alerts[0]?.at ?? 0)}</updated>`,
    '<author><name>Daybook monitor</name></author>',
    `<link rel="self" type="application/atom+xml" href="${escaped(self)}"/>`,
    ...alerts.map(formatEntry),
    '</feed>',
    '',
  ].join('\n');
}

function formatEntry({ id, rule, severity, origin, at, index, title, detail }: Alert): string {
  const facts = [`Log ${origin}`, ...(index === undefined ? [] : [`entry ${index}`])];
  return [
    '<entry>',
    `<id>urn:daybook:alert:${escaped(id)}</id>`,
    `<title>${escaped(title)}</title>`,
    `<updated>${timeOf(at)}</updated>`,
    `<category term="${escaped(rule)}"/>`,
    `<category term="${escaped(severity)}"/>`,
    `<content type="text">${escaped(`${detail}\n${facts.join(', ')}`)}</content>`,
    '</entry>',
  ].join('\n');
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** For text and for values in double quotes. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
