/** SHA-256 of files of any size, about as fast as they can be read. */
import { createHash } from 'node:crypto';
import { unreadable, withFile } from './files.ts';

const CHUNK_BYTES = 1024 * 1024;

/**
 * SHA-256 of a regular file. The next chunk is read by another thread while this one hashes.
 * Throws `file-unreadable`, also for a file that changes meanwhile.
 */
export function hashFile(path: string, onBytes?: (count: number) => void): Promise<Uint8Array> {
  return withFile(path, async (file, before) => {
    const hash = createHash('sha256');
    const chunk = Math.min(CHUNK_BYTES, before.size + 1);
    let [current, next] = [Buffer.allocUnsafeSlow(chunk), Buffer.allocUnsafeSlow(chunk)];
    let position = 0;
    let reading = file.read(current, 0, chunk, position);
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) break;
      position += bytesRead;
      reading = file.read(next, 0, chunk, position);
      hash.update(current.subarray(0, bytesRead));
      onBytes?.(bytesRead);
      [current, next] = [next, current];
    }
    const after = await file.stat();
    if (
      position !== before.size ||
      after.mtimeMs !== before.mtimeMs ||
      after.size !== before.size
    ) {
      throw unreadable(path, 'it changed while it was read');
    }
    return hash.digest();
  });
}
