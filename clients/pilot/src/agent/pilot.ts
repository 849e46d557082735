import { type LongTimer, startLongTimer } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { DomainError } from '@rhizome/errors';
import { randomUUID } from 'node:crypto';
import { openFileStore } from '../files/file-store.js';
import { Scratch } from '../files/scratch.js';
import { removeOldSecretFiles } from '../secrets/secret-files.js';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { findDevices, type DeviceOptions } from '../hardware/gpus/find-devices.js';
import { DeviceMonitor } from '../hardware/gpus/device-monitor.js';
import { findHostFacts, type HostFacts, type HostOptions } from '../hardware/host-facts.js';
import { PayloadIsolation, type IsolationOptions } from '../isolation/payload-isolation.js';
import type { CaptureLimits } from '../payload/output-capture.js';
import type { PayloadServices } from '../payload/payload.js';
import { PipePool } from '../payload/pipe-pool.js';
import { ProcessMonitor } from '../payload/process-monitor.js';
import { ReapedAccounts } from '../payload/reaped-accounts.js';
import { ControlGroups, type FoundControlGroups } from '../processes/control-groups.js';
import { untilAnswered } from '../protocol/until-answered.js';
import type { CoreProtocol, RegisteredWorker } from '../protocol/core-protocol.js';
import { Watchdogs } from '../watchdog/watchdog.js';
import type { ProcessContainment, WorkerFacts } from '../protocol/core-protocol.js';
import { Contact } from '../report/contact.js';
import { Spool } from '../spool/spool.js';
import { HeldJobs } from './held-jobs.js';
import { takeOverReports } from './left-reports.js';
import { Slots } from './slots.js';
import { WorkerSession, type SessionServices } from './worker-session.js';

/** Detection of devices, and its period. */
export interface GpuOptions extends Omit<DeviceOptions, 'searchPath'> {
  readonly periodMs: number;
}

/** Options of a pilot. */
export interface PilotOptions {
  readonly queue: string;
  /** Unique in its queue among live workers: a new pilot with the same name takes over. */
  readonly name: string;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly host: HostOptions;
  readonly gpus: GpuOptions;
  readonly isolation: IsolationOptions;
  /** Path or http(s) URL of the shared file store. */
  readonly store: string;
  /** Gives the bearer token of the store; undefined for one that asks for none. */
  readonly storeToken?: (() => string) | undefined;
  /** Batch job that runs the pilot, by the id of the batch system; undefined without one. */
  readonly batchJobId?: string | undefined;
  /** Time until the pilot must have ended; null for no limit. */
  readonly lifetimeSeconds: number | null;
  /** Time that jobs get to end when the pilot drains; null for no limit. */
  readonly drainSeconds: number | null;
  /** Time between SIGTERM and SIGKILL of a payload. */
  readonly graceSeconds: number;
  readonly captureLimits: CaptureLimits;
  /** Space for reports that core has not answered. */
  readonly spoolMiB: number;
  readonly sampleMs: number;
  readonly longestIdlePauseMs: number;
  readonly version: string;
}

/** Process samples per scan of the scratch space: walking a folder costs more. */
const diskPeriodSamples = 3;

/**
 * The worker agent: a worker of a queue that registers again, with its jobs, whenever core has given it up,
 * until it drains.
 */
export class Pilot {
  readonly #core: CoreProtocol;
  readonly #options: PilotOptions;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  /** Aborted when it takes no more work and has no job left. */
  readonly #idle = new AbortController();
  readonly #jobs = new HeldJobs();
  readonly #contact: Contact;
  readonly #startedAt = performance.now();
  #session: WorkerSession | undefined;
  #drainTimer: LongTimer | undefined;

  constructor(core: CoreProtocol, options: PilotOptions, log: Logger) {
    this.#core = core;
    this.#contact = new Contact(core);
    this.#options = options;
    this.#log = log;
  }

  /**
   * Runs until it has drained or was stopped.
   * @throws CoreRefused if core does not accept this worker
   */
  async run(): Promise<void> {
    const { host } = this.#options;
    const scratch = await Scratch.open(host.scratch);
    await removeOldSecretFiles();
    const lifetime = this.#armLifetime();
    const watchdogs = new Watchdogs();
    const devices = this.#deviceMonitor();
    let spool: Spool | undefined;
    try {
      const [hostFacts, { groups }] = await Promise.all([
        findHostFacts(host),
        this.#findControlGroups(),
        devices.start(),
      ]);
      spool = await this.#openSpool(hostFacts);
      const isolation = await this.#findIsolation(scratch, hostFacts);
      const { runtimes: containerRuntimes } = isolation.containers;
      const containment = containmentOf(groups, isolation);
      const facts = { ...hostFacts, containerRuntimes, ...isolation.facts, containment };
      const slots = new Slots(facts, () => usable(devices.devices));
      const places = { scratch, spool, slots };
      const services = this.#services(places, { watchdogs, groups }, devices, isolation);
      for (let end = ''; end !== 'DRAINED' && !this.#idle.signal.aborted;)
        end = await this.#runSession(facts, services);
    } catch (error) {
      if (!this.#idle.signal.aborted || error !== this.#idle.signal.reason) throw error;
    } finally {
      await this.#endJobs();
      lifetime?.cancel();
      this.#drainTimer?.cancel();
      devices.close();
      await watchdogs.close();
      await spool?.close();
      await scratch.close();
    }
  }

  /** Takes no more work and ends once its jobs have ended, or their time to do so is over. */
  drain(reason: string): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error(reason));
    this.#session?.drain(reason);
    void this.#jobs.whenEmpty(this.#idle.signal).then(() => this.#idle.abort(this.#stopping.signal.reason));
    const { drainSeconds } = this.#options;
    if (drainSeconds !== null)
      this.#drainTimer = startLongTimer(() => this.stop(reason), drainSeconds * 1000);
  }

  /** Ends its payloads and itself; core gives the jobs to other workers. */
  stop(reason: string): void {
    this.drain(reason);
    this.#session?.abandon(reason);
    this.#jobs.abandonAll(reason);
  }

  /** Opens the spool, and takes over what an earlier pilot of this name left. */
  async #openSpool({ host }: HostFacts): Promise<Spool> {
    const { queue, name, spoolMiB, host: options } = this.#options;
    const spool = await Spool.open({
      scratch: options.scratch,
      owner: { queue, name, host },
      limitBytes: spoolMiB * 1024 ** 2,
      log: this.#log,
    });
    const services = { core: this.#core, contact: this.#contact, log: this.#log };
    const left = await takeOverReports(spool, services);
    if (left.length > 0) this.#log.info({ jobs: left.length }, 'reports of an earlier pilot found');
    left.forEach((run) => this.#jobs.add(run));
    return spool;
  }

  /** Ends what is left of the jobs, for example when core refuses this pilot. */
  async #endJobs(): Promise<void> {
    this.#contact.close('the pilot ends');
    this.#jobs.abandonAll('the pilot ends');
    await this.#jobs.whenEmpty(new AbortController().signal);
  }

  /** Runs one worker, from its registration to its end. */
  async #runSession(facts: WorkerFacts, services: SessionServices): Promise<string> {
    const known = services.devices.devices;
    const { worker, sentAt } = await this.#register(facts, known);
    this.#log.info({ ...worker, queue: this.#options.queue, name: this.#options.name }, 'worker registered');
    this.#session = new WorkerSession(worker, sentAt, services, known);
    if (this.#stopping.signal.aborted) this.#session.drain('stopped while it registered');
    return this.#session.ended;
  }

  async #register(
    facts: WorkerFacts,
    devices: readonly DetectedDevice[],
  ): Promise<{ worker: RegisteredWorker; sentAt: number }> {
    const { queue, name, labels, version, batchJobId } = this.#options;
    const { signal } = this.#idle;
    const left = this.#remainingSeconds();
    const endsAt = left === null ? null : new Date(Date.now() + left * 1000);
    const registration = {
      queue,
      name,
      facts,
      devices,
      labels,
      endsAt,
      batchJobId: batchJobId ?? null,
      version,
      jobs: this.#jobs.held,
      idempotencyKey: `${name}:${randomUUID()}`,
    };
    let sentAt = performance.now();
    const call = async (): Promise<RegisteredWorker> => {
      sentAt = performance.now();
      return this.#core.registerWorker(registration, signal);
    };
    const worker = await untilAnswered(call, signal, ({ message }) =>
      this.#log.warn({ reason: message }, 'core unreachable'),
    );
    return { worker, sentAt };
  }

  /**
   * Finds out how payloads are isolated on this host.
   * @throws DomainError CONFIG_INVALID if isolation is required and not possible
   */
  async #findIsolation(scratch: Scratch, { containerRuntimes }: HostFacts): Promise<PayloadIsolation> {
    const { host, isolation: options } = this.#options;
    const containers = {
      runtimes: containerRuntimes,
      searchPath: host.searchPath,
      environment: host.runtimeEnvironment ?? {},
      usesControlGroups: false,
      isRoot: process.getuid?.() === 0,
    };
    const isolation = await PayloadIsolation.find(options, containers, scratch.folder);
    const { hasSandbox, reason } = isolation;
    const { mode } = options;
    const unusable = containerRuntimes.filter((name) => !isolation.containers.runtimes.includes(name));
    if (unusable.length > 0) this.#log.warn({ unusable }, 'container runtimes do not work');
    if (hasSandbox) this.#log.info(isolation.facts, 'payloads isolated');
    else if (mode !== 'required') this.#log.warn({ reason }, 'payloads not isolated');
    else
      throw new DomainError(
        'CONFIG_INVALID',
        `isolation: required is not possible on this host: ${reason}; must be auto or none, or install bubblewrap`,
      );
    return isolation;
  }

  /** Finds out whether this process may make control groups. */
  async #findControlGroups(): Promise<FoundControlGroups> {
    const found = await ControlGroups.find({ maxProcesses: this.#options.isolation.limits.processes });
    if (found.groups) this.#log.info({ limiting: found.groups.limiting }, 'control groups used');
    else this.#log.info({ reason: found.reason }, 'control groups not used');
    return found;
  }

  #deviceMonitor(): DeviceMonitor {
    const { periodMs, ...gpus } = this.#options.gpus;
    const options = { ...gpus, searchPath: this.#options.host.searchPath };
    return new DeviceMonitor({ detect: async () => findDevices(options), periodMs, log: this.#log });
  }

  #services(
    { scratch, spool, slots }: Pick<SessionServices, 'scratch' | 'spool' | 'slots'>,
    { watchdogs, groups }: Pick<PayloadServices, 'watchdogs' | 'groups'>,
    devices: DeviceMonitor,
    isolation: PayloadIsolation,
  ): SessionServices {
    const { host, store, graceSeconds, captureLimits, sampleMs, longestIdlePauseMs } = this.#options;
    return {
      core: this.#core,
      payloads: {
        monitor: new ProcessMonitor(sampleMs),
        reaped: new ReapedAccounts(),
        watchdogs,
        groups,
        pipes: new PipePool(scratch.folder),
        diskPeriodMs: sampleMs * diskPeriodSamples,
      },
      scratch,
      spool,
      contact: this.#contact,
      jobs: this.#jobs,
      slots,
      devices,
      store: openFileStore(store, this.#options.storeToken),
      captureLimits,
      graceSeconds,
      searchPath: host.searchPath,
      driverLibraries: host.driverLibraries ?? [],
      isolation,
      longestIdlePauseMs,
      remainingSeconds: () => this.#remainingSeconds(),
      log: this.#log,
    };
  }

  #remainingSeconds(): number | null {
    const { lifetimeSeconds } = this.#options;
    if (lifetimeSeconds === null) return null;
    return Math.max(0, Math.floor(lifetimeSeconds - (performance.now() - this.#startedAt) / 1000));
  }

  /** Drains the worker when its lifetime ends: jobs that core assigned in time have ended by then. */
  #armLifetime(): LongTimer | undefined {
    const { lifetimeSeconds } = this.#options;
    if (lifetimeSeconds === null) return undefined;
    return startLongTimer(() => this.drain('its time is over'), lifetimeSeconds * 1000);
  }
}

/** Methods that hold the processes of payloads without an image, the strongest first. */
function containmentOf(
  groups: ControlGroups | undefined,
  { hasSandbox }: PayloadIsolation,
): readonly ProcessContainment[] {
  return [
    ...(groups ? (['CONTROL_GROUPS'] as const) : []),
    ...(hasSandbox ? (['NAMESPACES'] as const) : []),
    'PROCESS_MARKS',
  ];
}

/** Devices that can be given to jobs: healthy ones that a payload's environment can name. */
function usable(devices: readonly DetectedDevice[]): readonly string[] {
  return devices
    .filter(({ health, visibleAs }) => health === 'HEALTHY' && visibleAs !== null)
    .map(({ id }) => id);
}
