/** What documents point at is there: files and headings behind links, source files and functions by name. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const documents = globSync(['*.md', 'docs/*.md']);

function withoutCode(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
}

/** As GitHub makes anchors of headings. */
function anchorsOf(path: string): string[] {
  const headings = readFileSync(path, 'utf8')
    .replace(/^```.*?^```$/gms, '')
    .matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(documents)('links of %s', (path) => {
  const links = withoutCode(readFileSync(path, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g);
  for (const [, link = ''] of links) {
    if (/^[a-z]+:/.test(link)) continue;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : join(dirname(path), file);
    expect(existsSync(target), `${link} leads to ${target}`).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target), link).toContain(anchor);
  }
});

const sources = globSync(['src/**/*.ts', 'test/**/*.ts']);
const code = sources.map((path) => readFileSync(path, 'utf8')).join('\n');

/** `log/sequencer.ts`, `guard.ts` or `test/log/`; `Log.submit`, `Sequencer.#prepare` or `wait=sequenced`. */
function exists(name: string): boolean {
  if (name.includes('/') || name.endsWith('.ts')) {
    return (
      existsSync(name) || sources.some((path) => `${path}/`.includes(`/${name.replace(/\/$/, '')}`))
    );
  }
  return name.split(/[.=]/).every((part) => code.includes(part));
}

test.each(['docs/architecture.md', 'docs/life-of-an-entry.md'])('names in %s', (path) => {
  const prose = readFileSync(path, 'utf8').replace(/^```.*?^```$/gms, '');
  const names = [...prose.matchAll(/`([#\w./=-]+)`/g)].map(([, name = '']) => name);
  expect(names.filter((name) => !exists(name) && !name.startsWith('.'))).toEqual([]);
});
