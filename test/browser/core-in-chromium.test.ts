/** The core runs in a browser as it is: it bundles without any Node module, and gives the same verdicts in Chromium. */
import { existsSync, globSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build, type BuildResult } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { decodeBase64, encodeBase64 } from '../../src/encoding/base64.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { growTree, judge, type Claim } from './page.ts';
import { provenRelease } from './proven-release.ts';

const executablePath = '/usr/bin/chromium';
const core = ['encoding', 'signature', 'merkle', 'note', 'statement', 'proof', 'verify'];

/** Fails on every import that a browser cannot resolve, `node:` ones above all. */
function bundle(entryPoints: string[]): Promise<BuildResult<{ metafile: true; write: false }>> {
  return build({
    entryPoints,
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    outdir: 'out',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
}

test('every file of the core bundles for the browser with nothing but itself and its few libraries', async () => {
  const files = core.flatMap((room) => globSync(`src/${room}/**/*.ts`));
  const { metafile } = await bundle(files);
  const foreign = Object.keys(metafile.inputs).filter(
    (path) => !core.some((room) => path.startsWith(`src/${room}/`)) && path !== 'src/errors.ts',
  );
  const packages = new Set(
    foreign.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]),
  );
  expect([...packages].sort()).toEqual([
    '@noble/curves',
    '@noble/hashes',
    '@noble/post-quantum',
    'cborg',
    'packageurl-js',
    'zod',
  ]);
  expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
});

test('a Node module in the core would be seen', async () => {
  await expect(bundle(['src/store/head-file.ts'])).rejects.toThrow('node:');
});

describe.skipIf(!existsSync(executablePath))('in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const { outputFiles } = await bundle(['test/browser/page.ts']);
    server = createServer(({ url }, response) => {
      response.setHeader('Content-Security-Policy', "default-src 'none'; script-src 'self'");
      response.setHeader('Content-Type', url === '/page.js' ? 'text/javascript' : 'text/html');
      response.end(
        url === '/page.js'
          ? outputFiles[0]!.contents
          : '<!doctype html><title>core</title><script type="module" src="/page.js"></script>',
      );
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });

  afterAll(async () => {
    await browser.close();
    server.close();
  });

  /** The verdict in the page, which must be the one that Node comes to. */
  async function verdict(claim: Claim): ReturnType<typeof judge> {
    const inPage = await page.evaluate(
      (it) => (globalThis as unknown as { judge: typeof judge }).judge(it),
      claim,
    );
    expect(inPage).toEqual(await judge(claim));
    return inPage;
  }

  const artifact = utf8('#!/bin/sh\necho scanning\n');

  test('a release that is logged is accepted', async () => {
    const { ok, facts } = await verdict(await provenRelease(artifact));
    expect(ok).toBe(true);
    expect(facts).toMatchObject({ index: 150, size: 300, name: 'scanner.bin' });
    expect(facts.cosigners).toHaveLength(2);
  });

  test('a file changed by one bit is refused', async () => {
    const claim = await provenRelease(artifact);
    const changed = artifact.with(3, artifact[3]! ^ 1);
    const { ok, code } = await verdict({ ...claim, artifact: encodeBase64(changed) });
    expect({ ok, code }).toEqual({ ok: false, code: 'artifact-mismatch' });
  });

  test('a proof changed anywhere is refused', async () => {
    const claim = await provenRelease(artifact);
    const proof = decodeBase64(claim.proof);
    const newlines = [...proof.keys()].filter((at) => proof[at] === 0x0a);
    for (const end of newlines) {
      // The last but one character of each line: not the end of its base64, whose unused bits have rules of their own.
      const at = end - 3;
      if (at < 0 || newlines.includes(at)) continue;
      const forged = proof.with(at, proof[at] === 0x41 ? 0x42 : 0x41);
      const { ok } = await verdict({ ...claim, proof: encodeBase64(forged) });
      expect(ok, `line that ends at ${end}`).toBe(false);
    }
  });

  test('a release by another issuer, or under a policy of other keys, is refused', async () => {
    const [claim, other] = [await provenRelease(artifact), await provenRelease(artifact)];
    expect((await verdict({ ...claim, issuer: other.issuer })).code).toBe('signature-invalid');
    expect((await verdict({ ...claim, policy: other.policy })).code).toBe('untrusted-checkpoint');
  });

  test('trees grow there as they do in Node, and all their proofs verify', async () => {
    const root = await page.evaluate(() =>
      (globalThis as unknown as { growTree: typeof growTree }).growTree(70),
    );
    const leaves = Array.from({ length: 70 }, (_, index) => rfc6962.leaf(utf8(`entry ${index}`)));
    expect(root).toBe(encodeHex(rootOfLeaves(leaves)));
  });
});
