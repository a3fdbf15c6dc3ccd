/**
 * Run as a process of its own: opens the log of a directory and publishes one statement of the channel
 * acme/stable after the other, from where the log stands; of rivals for each place. Prints a line
 * `sequence index` for each that is acknowledged. Arguments: the directory, and the issuer's key file.
 */
import { readKeyFile } from '../../src/keys/key-file.ts';
import { Log } from '../../src/log/log.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { readChannel } from '../../src/statement/channel.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import { channelEntry } from './statements.ts';

const RIVALS = 3;
const [directory = '', keyFile = ''] = process.argv.slice(2);

const log = await Log.open({ directory, intervalMs: 20 });
const issuer = await readKeyFile(keyFile);
let previous = log.channel('acme/stable');
let sequence = previous === undefined ? 0 : await sequenceOf(previous);
for (;;) {
  sequence += 1;
  const rivals = await Promise.all(
    Array.from({ length: RIVALS }, (_, i) =>
      channelEntry(log, issuer, sequence, previous, { expires: 2_000_000_000 + i }),
    ),
  );
  const outcomes = await log.submitMany(rivals);
  for (const outcome of outcomes) {
    if (!('index' in outcome)) continue;
    previous = outcome.index;
    process.stdout.write(`${sequence} ${outcome.index}\n`);
  }
}

async function sequenceOf(index: NonNullable<typeof previous>): Promise<number> {
  const { payload } = parseEnvelope(await log.entry(index));
  return readChannel(parseStatement(payload)).sequence;
}
