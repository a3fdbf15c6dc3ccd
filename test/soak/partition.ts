/** A partition as it happens. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { Partition } from './scenario.ts';

/** Resolves when it is over. */
export async function separate(cluster: Cluster, partition: Partition): Promise<void> {
  await delay(partition.from);
  cluster.part(partition);
  await delay(partition.to - partition.from);
  cluster.heal();
}
