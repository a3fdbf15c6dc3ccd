/** Where alerts lie in the monitor's records. */

export function alertKey(id: string): string {
  return `alert/${id}`;
}

export function outboxKey(target: string, id: string): string {
  return `outbox/${target}/${id}`;
}
