/** Reading a log of many leaves over HTTP on loopback: tiles and inclusion proofs at random places. */
import autocannon from 'autocannon';
import { Log } from '../src/log/log.ts';
import { rawEntries } from './samples.ts';
import { scratch, startServer, wrk, type WrkResult } from './server-process.ts';

export interface ReadFigure extends WrkResult {
  readonly name: string;
  readonly leaves: number;
  /** 99th percentile at half of the rate that was aimed at, in ms. */
  readonly p99AtHalfMs: number;
}

export interface ReadAims {
  readonly tilesPerSecond: number;
  readonly proofsPerSecond: number;
}

export async function reads(
  leaves: number,
  seconds: number,
  aims: ReadAims,
): Promise<ReadFigure[]> {
  const directory = await scratch();
  await fill(directory, leaves);
  const server = await startServer(directory);
  const fullTiles = Math.floor(leaves / 256);
  const tiles = await wrk(
    `${server.url}/`,
    `math.randomseed(1)
    request = function()
      local n = math.random(0, ${fullTiles - 1})
      local path = n < 1000 and string.format("/tile/0/%03d", n) or string.format("/tile/0/x%03d/%03d", n / 1000, n % 1000)
      return wrk.format("GET", path)
    end`,
    { seconds },
  );
  const tilesAtHalf = await steady(server.url, aims.tilesPerSecond / 2, seconds, () => {
    const index = String(Math.floor(Math.random() * fullTiles)).padStart(3, '0');
    return index.length === 3
      ? `/tile/0/${index}`
      : `/tile/0/x${index.slice(0, -3).padStart(3, '0')}/${index.slice(-3)}`;
  });
  const randomProofs = `math.randomseed(os.time())
    request = function()
      return wrk.format("GET", "/proofs/inclusion?index=" .. math.random(0, ${leaves - 1}))
    end`;
  // The first proof from each tile hashes the tile: a server that has run for a while has done so.
  await wrk(`${server.url}/`, randomProofs, { seconds });
  const proofs = await wrk(`${server.url}/`, randomProofs, { seconds });
  const proofsAtHalf = await steady(
    server.url,
    aims.proofsPerSecond / 2,
    seconds,
    () => `/proofs/inclusion?index=${Math.floor(Math.random() * leaves)}`,
  );
  await server.stop();
  return [
    { name: 'full tiles', leaves, ...tiles, p99AtHalfMs: tilesAtHalf },
    { name: 'inclusion proofs', leaves, ...proofs, p99AtHalfMs: proofsAtHalf },
  ];
}

async function fill(directory: string, leaves: number): Promise<void> {
  const log = await Log.open({ directory, admission: 'open' });
  for (let label = 1; label < leaves; label += 1024) {
    await log.submitMany(rawEntries(Math.min(1024, leaves - label), label));
  }
  await log.close();
}

/** 99th percentile, in ms, of requests that are sent at a steady rate. */
async function steady(
  url: string,
  perSecond: number,
  seconds: number,
  path: () => string,
): Promise<number> {
  const result = await autocannon({
    url,
    connections: 16,
    duration: seconds,
    overallRate: perSecond,
    requests: [{ method: 'GET', setupRequest: (request) => ({ ...request, path: path() }) }],
  });
  if (result.errors + result.non2xx > 0) throw new Error(`${result.non2xx} answers were refusals`);
  return result.latency.p99;
}
