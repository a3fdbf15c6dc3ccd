/** A progress bar on a terminal's stderr; nothing in a pipe. */

export interface Progress {
  readonly add: (bytes: number) => void;
  readonly stop: () => void;
}

export async function hashingProgress(totalBytes: number): Promise<Progress> {
  if (!process.stderr.isTTY) return { add: () => undefined, stop: () => undefined };
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    {
      format: 'hashing [{bar}] {percentage}% of {size} MiB',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.legacy,
  );
  bar.start(totalBytes, 0, { size: Math.ceil(totalBytes / 2 ** 20) });
  return { add: (bytes) => bar.increment(bytes), stop: () => bar.stop() };
}
