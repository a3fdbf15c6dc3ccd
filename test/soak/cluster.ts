/**
 * The cast of the soak, each in a process of its own: three witnesses and three monitors of ours, a
 * witness that colludes, twenty clients, and the log that forks. All that they say to each other goes
 * over links that can be cut.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClientCalls } from './client.ts';
import type { ColluderCalls } from './colluding-witness.ts';
import { Link } from './link.ts';
import { CLIENTS, MONITORS, type Partition } from './scenario.ts';
import { runCommand, startService, type Service } from './service.ts';
import { startWorker, type Worker } from './worker.ts';

export const WITNESSES = 3;
/** Seconds between questions to the log, and to peers and witnesses: the least that a config allows. */
const INTERVAL_SECONDS = 1;

/** A log as the cluster is told of it. */
export interface WatchedLog {
  readonly origin: string;
  readonly vkeys: readonly string[];
  /** Its face for each monitor. */
  readonly links: readonly Link[];
}

export interface WitnessParty {
  readonly vkey: string;
  readonly data: string;
  service: Service;
}

export interface MonitorParty {
  readonly config: string;
  service: Service;
  /** From each of the others to this one. */
  readonly fromPeers: readonly Link[];
  /** From this one to each witness, the colluding one last. */
  readonly toWitnesses: readonly Link[];
}

export class Cluster {
  readonly directory: string;
  readonly witnesses: readonly WitnessParty[];
  /** From logs to the honest witnesses. */
  readonly submit: readonly Link[];
  readonly colluder: Worker<ColluderCalls>;
  readonly colluderKey: string;
  readonly colluderPorts: { readonly first: number; readonly second: number };
  readonly clients: readonly Worker<ClientCalls>[];
  /** From each client to the monitor that it reports to, with an address of its own. */
  readonly reports: readonly Link[];
  readonly #logsFile: string;
  monitors: readonly MonitorParty[] = [];
  #logs: readonly WatchedLog[] = [];

  private constructor(
    parts: Pick<
      Cluster,
      | 'directory'
      | 'witnesses'
      | 'submit'
      | 'colluder'
      | 'colluderKey'
      | 'colluderPorts'
      | 'clients'
      | 'reports'
    >,
    logsFile: string,
  ) {
    this.directory = parts.directory;
    this.witnesses = parts.witnesses;
    this.submit = parts.submit;
    this.colluder = parts.colluder;
    this.colluderKey = parts.colluderKey;
    this.colluderPorts = parts.colluderPorts;
    this.clients = parts.clients;
    this.reports = parts.reports;
    this.#logsFile = logsFile;
  }

  /** Starts everybody but the monitors, who are told of their logs when they are started. */
  static async start(directory: string): Promise<Cluster> {
    const logsFile = join(directory, 'logs');
    await writeFile(logsFile, '');
    const witnesses: WitnessParty[] = [];
    for (const i of Array(WITNESSES).keys()) {
      const data = join(directory, `witness-${i}`);
      const output = await runCommand('witness', 'init', '--data', data, '--name', witnessName(i));
      witnesses.push({ vkey: vkeyIn(output), data, service: await startWitness(data, logsFile) });
    }
    const colluder = startWorker<ColluderCalls>('./colluding-witness.ts');
    const { vkey: colluderKey, ports: colluderPorts } = await colluder.call('introduce', undefined);
    const clients = Array.from({ length: CLIENTS }, () => startWorker<ClientCalls>('./client.ts'));
    const parts = { directory, witnesses, colluder, colluderKey, colluderPorts, clients };
    const submit = await links(witnesses.map(({ service }) => service.port));
    // They lead nowhere until there are monitors.
    const reports = await Promise.all(clients.map((_, i) => Link.open(0, `127.0.1.${i + 1}`)));
    return new Cluster({ ...parts, submit, reports }, logsFile);
  }

  get logs(): readonly WatchedLog[] {
    return this.#logs;
  }

  get witnessKeys(): string[] {
    return [...this.witnesses.map(({ vkey }) => vkey), this.colluderKey];
  }

  /**
   * Makes new monitors that follow these logs, and tells the witnesses of them. After so long a head
   * that nobody explains becomes an accusation.
   */
  async watch(logs: readonly WatchedLog[], round: number, accuseAfter: string): Promise<void> {
    this.#logs = logs;
    await writeFile(
      this.#logsFile,
      logs.flatMap(({ vkeys }) => vkeys.map((vkey) => `log ${vkey}\n`)).join(''),
    );
    const witnessPorts = [
      ...this.witnesses.map(({ service }) => service.port),
      this.colluderPorts.first,
    ];
    const fromPeers = await Promise.all(
      Array.from({ length: MONITORS }, () => links(Array<number>(MONITORS - 1).fill(0))),
    );
    const monitors: MonitorParty[] = [];
    for (const i of Array(MONITORS).keys()) {
      const toWitnesses = await links(witnessPorts);
      const folder = join(this.directory, `round-${round}`, `monitor-${i}`);
      await mkdir(folder, { recursive: true });
      const config = join(folder, 'config.json');
      const peers = peersOf(i).map((peer) => ({
        name: monitorName(peer),
        url: (fromPeers[peer]?.[peersOf(peer).indexOf(i)] as Link).url,
      }));
      const witnesses = this.witnessKeys.map((vkey, w) => ({ vkey, url: toWitnesses[w]?.url }));
      const json = {
        data: 'data',
        listen: { port: 0 },
        logs: logs.map(({ vkeys, links }) => ({ vkeys, url: links[i]?.url })),
        gossip: {
          peers,
          witnesses,
          intervalSeconds: INTERVAL_SECONDS,
          acceptReports: true,
          accuseAfter,
        },
        pollSeconds: INTERVAL_SECONDS,
        cosign: true,
      };
      await writeFile(config, JSON.stringify(json));
      const data = join(folder, 'data');
      await runCommand('monitor', 'init', '--data', data, '--name', monitorName(i));
      const service = await startService('monitor', '--config', config);
      monitors.push({ config, service, fromPeers: fromPeers[i] as Link[], toWitnesses });
    }
    this.monitors = monitors;
    for (const i of monitors.keys()) this.#leadTo(i);
  }

  /** Kills a monitor or asks it to stop, and starts it anew on what it has. */
  async restartMonitor(i: number, kill: boolean): Promise<void> {
    const monitor = this.monitors[i] as MonitorParty;
    await (kill ? monitor.service.kill() : monitor.service.stop());
    monitor.service = await startService('monitor', '--config', monitor.config);
    this.#leadTo(i);
  }

  async restartWitness(i: number, kill: boolean): Promise<void> {
    const witness = this.witnesses[i] as WitnessParty;
    await (kill ? witness.service.kill() : witness.service.stop());
    witness.service = await startWitness(witness.data, this.#logsFile);
    const { port } = witness.service;
    this.submit[i]?.lead(port);
    for (const { toWitnesses } of this.monitors) toWitnesses[i]?.lead(port);
  }

  /** Nobody that it separates can talk until `heal`. */
  part({ monitors, clients, silent }: Omit<Partition, 'from' | 'to'>): void {
    for (const [i, monitor] of this.monitors.entries()) {
      for (const [p, link] of monitor.fromPeers.entries()) {
        if (monitors.includes(i) || monitors.includes(peersOf(i)[p] as number)) link.cut(silent);
      }
      if (!monitors.includes(i)) continue;
      for (const link of monitor.toWitnesses) link.cut(silent);
    }
    for (const client of clients) this.reports[client]?.cut(silent);
  }

  heal(): void {
    for (const { fromPeers, toWitnesses } of this.monitors) {
      for (const link of [...fromPeers, ...toWitnesses]) link.heal();
    }
    for (const link of this.reports) link.heal();
  }

  /** Ends the monitors of this round. What they said stays beside their config. */
  async unwatch(): Promise<void> {
    for (const { service, config } of this.monitors) {
      await service.stop();
      await writeFile(join(dirname(config), 'output'), service.output());
    }
    for (const { fromPeers, toWitnesses } of this.monitors) {
      for (const link of [...fromPeers, ...toWitnesses]) link.close();
    }
    this.monitors = [];
  }

  async stop(): Promise<void> {
    await this.unwatch();
    await Promise.all([
      ...this.clients.map((client) => client.kill()),
      this.colluder.kill(),
      ...this.witnesses.map(({ service }) => service.stop()),
    ]);
    for (const link of [...this.reports, ...this.submit]) link.close();
  }

  #leadTo(i: number): void {
    const { service, fromPeers } = this.monitors[i] as MonitorParty;
    for (const link of fromPeers) link.lead(service.port);
    for (const [client, link] of this.reports.entries()) {
      if (client % MONITORS === i) link.lead(service.port);
    }
  }
}

/** The other monitors, in the order of their links. */
function peersOf(monitor: number): number[] {
  return [...Array(MONITORS).keys()].filter((i) => i !== monitor);
}

function links(ports: readonly number[]): Promise<Link[]> {
  return Promise.all(ports.map((port) => Link.open(port)));
}

function startWitness(data: string, logs: string): Promise<Service> {
  return startService('witness', '--data', data, '--logs', logs, '--port', '0');
}

export function witnessName(i: number): string {
  return `witness-${i}.example`;
}

function monitorName(i: number): string {
  return `monitor-${i}.example`;
}

function vkeyIn(output: string): string {
  const [, vkey = ''] = /public key\s+(\S+)/.exec(output) ?? [];
  return vkey;
}
