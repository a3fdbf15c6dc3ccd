/** Where alerts lie in the monitor's records. */

export const alertPrefix = 'alert/';
export const outboxPrefix = 'outbox/';

export function alertKey(id: string): string {
  return alertPrefix + id;
}

/** Of an alert that the target does not have yet. */
export function outboxKey(target: string, id: string): string {
  return `${outboxPrefix}${target}/${id}`;
}
