/** What `daybook policy check` finds in a policy. */
export interface PolicyFinding {
  readonly severity: 'error' | 'warning';
  /** Stable; docs/policy.md has the list. */
  readonly code: string;
  readonly message: string;
}

export function error(code: string, message: string): PolicyFinding {
  return { severity: 'error', code, message };
}

export function warning(code: string, message: string): PolicyFinding {
  return { severity: 'warning', code, message };
}
