/** A verdict in short. */
import type { ReleaseVerdict } from '../../src/verify/verify-release.ts';

/** `ok`, or the first rule that failed and its code. */
export function outcome({ ok, code, rules }: ReleaseVerdict): string {
  const failed = rules.filter((each) => !each.ok);
  if (ok) return failed.length === 0 && code === undefined ? 'ok' : 'contradiction';
  return failed[0]?.code === code ? `${failed[0]?.rule}: ${code}` : 'contradiction';
}

export function detail({ rules }: ReleaseVerdict): string {
  return rules.find(({ ok }) => !ok)?.detail ?? '';
}
