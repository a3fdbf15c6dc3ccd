/** Alerts as structured log lines: the one target that every monitor has. */
import type { Logger } from 'pino';
import type { Alert } from './alert.ts';
import type { Target } from './delivery.ts';

/**
 * The logger must write before it returns: what was given to it counts as delivered. A notice is a
 * warning too, that no usual level hides it.
 */
export function logTarget(logger: Pick<Logger, 'error' | 'warn'>): Target {
  return {
    name: 'log',
    deliver: async (alert: Alert) =>
      logger[alert.severity === 'critical' ? 'error' : 'warn']({ alert }, alert.title),
  };
}
