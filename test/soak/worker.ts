/** Processes of the soak that are no `daybook` commands: each answers calls over the channel to its parent. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a process answers, by name. */
type Calls = { readonly [name: string]: (given: never) => Promise<unknown> };

interface Asked {
  readonly id: number;
  readonly name: string;
  readonly given: unknown;
}

interface Answered {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export interface Worker<C extends Calls> {
  /** Rejects with what the call threw, and when the process ends before it answers. */
  call<N extends keyof C & string>(
    name: N,
    given: Parameters<C[N]>[0],
  ): Promise<Awaited<ReturnType<C[N]>>>;
  /** Resolves when it has ended: by SIGKILL. */
  kill(): Promise<void>;
}

/** Starts `file`, a module beside this one that calls `answerCalls`. */
export function startWorker<C extends Calls>(file: string): Worker<C> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  // The parent may run under a test runner's flags; what it starts must not.
  const child = fork(path, { execArgv: [], serialization: 'advanced' });
  const exited = once(child, 'exit');
  const open = new Map<number, Waiting>();
  let last = 0;
  child.on('message', ({ id, result, error }: Answered) => {
    const call = open.get(id);
    open.delete(id);
    if (error === undefined) call?.resolve(result as never);
    else call?.reject(new Error(`${file}: ${error}`));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of open.values()) reject(new Error(`${file} ended: ${code ?? signal}`));
    open.clear();
  });
  return {
    call(name, given) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        open.set(id, { resolve, reject });
        child.send({ id, name, given } satisfies Asked, (error) => {
          if (error) reject(error);
        });
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Answers the parent's calls until it is gone. */
export function answerCalls(calls: Calls): void {
  const answer = (answered: Answered): void => {
    process.send?.(answered);
  };
  process.on('message', ({ id, name, given }: Asked) => {
    (calls[name] as (given: unknown) => Promise<unknown>)(given).then(
      (result) => answer({ id, result }),
      (error: unknown) => answer({ id, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}
