/**
 * Links node_modules/.bin/daybook to the built command: npm links the bins of dependencies only,
 * and `npx daybook` must work in a clone too. Run by `npm run prepare`, which `npm ci` runs.
 */
import { chmodSync, rmSync, symlinkSync } from 'node:fs';

const main = new URL('dist/cli/main.js', import.meta.url);
const link = new URL('node_modules/.bin/daybook', import.meta.url);

if (process.platform !== 'win32') {
  chmodSync(main, 0o755);
  rmSync(link, { force: true });
  symlinkSync('../../dist/cli/main.js', link);
}
