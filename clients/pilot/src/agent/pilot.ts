import { type LongTimer, startLongTimer } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LimitByKey } from '@rhizome/retry';
import { AllowedNetworks, Connections } from '@rhizome/storage';
import { DomainError } from '@rhizome/errors';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { openFileStore } from '../files/file-store.js';
import { InputCache } from '../files/input-cache.js';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { findDevices, type DeviceOptions } from '../hardware/gpus/find-devices.js';
import { DeviceMonitor } from '../hardware/gpus/device-monitor.js';
import { findHostFacts, type HostFacts, type HostOptions } from '../hardware/host-facts.js';
import { PayloadIsolation, type IsolationOptions } from '../isolation/payload-isolation.js';
import type { CaptureLimits } from '../payload/output-capture.js';
import { untilAnswered } from '../protocol/until-answered.js';
import type { CoreProtocol, RegisteredWorker } from '../protocol/core-protocol.js';
import type { ProcessContainment, WorkerFacts } from '../protocol/core-protocol.js';
import { Contact } from '../report/contact.js';
import { Spool } from '../spool/spool.js';
import type { SpoolOwner } from '../spool/spool.types.js';
import type { SupervisorFacts } from '../supervisor/messages.js';
import { Supervisors } from '../supervisor/supervisors.js';
import { HeldJobs } from './held-jobs.js';
import { adoptAttempts } from './adopt-attempts.js';
import { JobRun } from './job-run.js';
import { watchIdleness } from './idle-end.js';
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
  /** True if outputs go to a storage of core where it has one, and to the store otherwise. */
  readonly usesStorages?: boolean;
  /** Private networks and hosts that files may be fetched from and stored at: see `AllowedNetworks`. */
  readonly allowedNetworks?: readonly string[];
  /** Most transfers with one storage at once; 32 by default. */
  readonly transfersPerStorage?: number;
  /** Cache of inputs; absent for none. */
  readonly inputCache?: { readonly folder: string; readonly limitMiB: number };
  /** Gives the bearer token of the store; undefined for one that asks for none. */
  readonly storeToken?: (() => string) | undefined;
  /** Batch job that runs the pilot, by the id of the batch system; undefined without one. */
  readonly batchJobId?: string | undefined;
  /** Time until the pilot must have ended; null for no limit. */
  readonly lifetimeSeconds: number | null;
  /** Time without a job after which it drains; null or undefined for no limit. */
  readonly idleSeconds?: number | null;
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
  /** True if payloads end when the pilot dies; otherwise the next pilot continues them. */
  readonly payloadsEnd?: boolean;
  /** True if a launcher starts another pilot when this one ends. */
  readonly isLaunched?: boolean;
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
  #isLeaving = false;
  #isStopped = false;
  #supervisors: Supervisors | undefined;
  #spool: Spool | undefined;
  #drainTimer: LongTimer | undefined;
  #endIdleWatch: (() => void) | undefined;

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
    const lifetime = this.#armLifetime();
    const devices = this.#deviceMonitor();
    try {
      await mkdir(this.#options.host.scratch, { recursive: true });
      const [hostFacts] = await Promise.all([findHostFacts(this.#options.host), devices.start()]);
      const supervisors = (this.#supervisors = await this.#openSupervisors(hostFacts));
      const { facts: supervisor, scratch } = await supervisors.current();
      const spool = (this.#spool = await this.#openSpool(hostFacts));
      const isolation = await this.#findIsolation(scratch.folder, hostFacts);
      const { runtimes: containerRuntimes } = isolation.containers;
      const containment = containmentOf(supervisor, isolation);
      const facts = { ...hostFacts, containerRuntimes, ...isolation.facts, containment };
      const slots = new Slots(facts, () => usable(devices.devices));
      const services = this.#services({ supervisors, spool, slots }, devices, isolation);
      await this.#adoptAttempts(services);
      for (let end = ''; end !== 'DRAINED' && !this.#idle.signal.aborted;)
        end = await this.#runSession(facts, services);
    } catch (error) {
      if (!this.#idle.signal.aborted || error !== this.#idle.signal.reason) throw error;
    } finally {
      this.#endIdleWatch?.();
      await this.#endJobs();
      lifetime?.cancel();
      this.#drainTimer?.cancel();
      devices.close();
    }
  }

  /** Takes no more work and ends once its jobs have ended, or their time to do so is over. */
  drain(reason: string): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error(reason));
    this.#session?.drain(reason);
    void this.#jobs.whenEmpty(this.#idle.signal).then(() => this.#idle.abort(this.#stopping.signal.reason));
    const { drainSeconds } = this.#options;
    if (drainSeconds !== null) {
      this.#jobs.announceEnd(performance.now() + drainSeconds * 1000);
      this.#drainTimer = startLongTimer(() => this.stop(reason), drainSeconds * 1000);
    }
  }

  /** Ends its payloads and itself; core gives the jobs to other workers. */
  stop(reason: string): void {
    this.#isStopped = true;
    this.drain(reason);
    this.#session?.abandon(reason);
    this.#jobs.endAll(reason);
  }

  /** Ends, and leaves its jobs to another pilot of the same name, which continues them. */
  leave(reason: string): void {
    this.#isLeaving = true;
    this.#stopping.abort(new Error(reason));
    this.#session?.leave();
    this.#idle.abort(this.#stopping.signal.reason);
  }

  async #openSpool({ host }: HostFacts): Promise<Spool> {
    const { spoolMiB, host: options } = this.#options;
    return Spool.open({
      scratch: options.scratch,
      owner: this.#owner(host),
      limitBytes: spoolMiB * 1024 ** 2,
      log: this.#log,
    });
  }

  #owner(host: string): SpoolOwner {
    const { queue, name, isLaunched = false, payloadsEnd: endsWithPilot = false } = this.#options;
    return { queue, name, host, isLaunched, endsWithPilot };
  }

  async #openSupervisors({ host }: HostFacts): Promise<Supervisors> {
    const { isolation, sampleMs, version, host: options, payloadsEnd = false } = this.#options;
    const supervisors = await Supervisors.open(
      {
        scratch: options.scratch,
        owner: this.#owner(host),
        version,
        endsWithPilot: payloadsEnd,
        maxProcesses: isolation.limits.processes,
        sampleMs,
        diskPeriodMs: sampleMs * diskPeriodSamples,
        companions: [process.pid, ...(this.#options.isLaunched ? [process.ppid] : [])],
      },
      this.#log,
    );
    const { controllers, reason, pid } = (await supervisors.current()).facts;
    if (controllers) this.#log.info({ limiting: controllers }, 'control groups used');
    else this.#log.info({ reason }, 'control groups not used');
    this.#log.info({ processId: pid }, 'supervisor of payloads found');
    return supervisors;
  }

  /** Continues what an earlier pilot of this name has left. */
  async #adoptAttempts(services: SessionServices): Promise<void> {
    const runs = await adoptAttempts(services);
    if (runs.length > 0) this.#log.info({ jobs: runs.length }, 'attempts of an earlier pilot found');
    for (const run of runs) {
      if (run instanceof JobRun) services.slots.hold(run);
      this.#jobs.add(run);
    }
  }

  /**
   * Ends what is left of the jobs, for example when core refuses this pilot. Payloads stay for another pilot
   * if this one was not registered, or leaves them.
   */
  async #endJobs(): Promise<void> {
    const isLeaving = this.#isLeaving || (this.#session === undefined && !this.#isStopped);
    this.#contact.close('the pilot ends');
    if (isLeaving) this.#jobs.leaveAll('the pilot ends');
    else this.#jobs.abandonAll('the pilot ends');
    await this.#jobs.whenEmpty(new AbortController().signal);
    await this.#supervisors?.close();
    await this.#spool?.close();
  }

  /** Runs one worker, from its registration to its end. */
  async #runSession(facts: WorkerFacts, services: SessionServices): Promise<string> {
    const known = services.devices.devices;
    const { worker, sentAt } = await this.#register(facts, known);
    this.#log.info({ ...worker, queue: this.#options.queue, name: this.#options.name }, 'worker registered');
    this.#endIdleWatch ??= this.#watchIdleness(services.slots);
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
  async #findIsolation(scratch: string, { containerRuntimes }: HostFacts): Promise<PayloadIsolation> {
    const { host, isolation: options } = this.#options;
    const containers = {
      runtimes: containerRuntimes,
      searchPath: host.searchPath,
      environment: host.runtimeEnvironment ?? {},
      usesControlGroups: false,
      isRoot: process.getuid?.() === 0,
    };
    const isolation = await PayloadIsolation.find(options, containers, scratch);
    const { hasSandbox, reason } = isolation;
    const { mode } = options;
    const unusable = containerRuntimes.filter((name) => !isolation.containers.runtimes.includes(name));
    if (unusable.length > 0) this.#log.warn({ unusable }, 'container runtimes do not work');
    if (hasSandbox && options.filtersSystemCalls && !isolation.facts.systemCallFilter)
      this.#log.warn({ architecture: process.arch }, 'system calls not filtered');
    if (hasSandbox) this.#log.info(isolation.facts, 'payloads isolated');
    else if (mode !== 'required') this.#log.warn({ reason }, 'payloads not isolated');
    else
      throw new DomainError(
        'CONFIG_INVALID',
        `isolation: required is not possible on this host: ${reason}; must be auto or none, or install bubblewrap`,
      );
    return isolation;
  }

  #deviceMonitor(): DeviceMonitor {
    const { periodMs, ...gpus } = this.#options.gpus;
    const options = { ...gpus, searchPath: this.#options.host.searchPath };
    return new DeviceMonitor({ detect: async () => findDevices(options), periodMs, log: this.#log });
  }

  #services(
    opened: Pick<SessionServices, 'supervisors' | 'spool' | 'slots'>,
    devices: DeviceMonitor,
    isolation: PayloadIsolation,
  ): SessionServices {
    const {
      host,
      store,
      usesStorages = false,
      allowedNetworks = [],
      inputCache,
      transfersPerStorage = 32,
      graceSeconds,
      captureLimits,
      longestIdlePauseMs,
    } = this.#options;
    return {
      ...opened,
      core: this.#core,
      contact: this.#contact,
      jobs: this.#jobs,
      devices,
      store: openFileStore(store, this.#options.storeToken),
      usesStorages,
      connections: new Connections(undefined, new AllowedNetworks(allowedNetworks)),
      inputCache: inputCache && openCache(inputCache, this.#log),
      transferLimit: new LimitByKey(transfersPerStorage),
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

  /** The time begins when the worker can get jobs. */
  #watchIdleness(slots: Slots): (() => void) | undefined {
    const { idleSeconds } = this.#options;
    if (idleSeconds == null) return undefined;
    return watchIdleness(slots, idleSeconds, () => this.drain(`it had no job for ${idleSeconds} s`));
  }

  #remainingSeconds(): number | null {
    const { lifetimeSeconds } = this.#options;
    if (lifetimeSeconds === null) return null;
    return Math.max(0, Math.floor(lifetimeSeconds - (performance.now() - this.#startedAt) / 1000));
  }

  /** Drains the worker when its lifetime ends: jobs that core assigned in time have ended by then. */
  #armLifetime(): LongTimer | undefined {
    const { lifetimeSeconds, drainSeconds } = this.#options;
    if (lifetimeSeconds === null) return undefined;
    this.#jobs.announceEnd(this.#startedAt + (lifetimeSeconds + (drainSeconds ?? 0)) * 1000);
    return startLongTimer(() => this.drain('its time is over'), lifetimeSeconds * 1000);
  }
}

function openCache({ folder, limitMiB }: NonNullable<PilotOptions['inputCache']>, log: Logger): InputCache {
  return new InputCache({ folder, limitBytes: limitMiB * 1024 ** 2, log });
}

/** Methods that hold the processes of payloads without an image, the strongest first. */
function containmentOf(
  { controllers }: SupervisorFacts,
  { hasSandbox }: PayloadIsolation,
): readonly ProcessContainment[] {
  return [
    ...(controllers ? (['CONTROL_GROUPS'] as const) : []),
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
