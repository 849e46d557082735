/**
 * A run that is processed while the detector takes data, in real processes: frames every 0.6 s, a standby
 * phase, a worker that is killed, and a gateway that restarts. Every slice counts once.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { spawnProcess, waitFor } from '@rhizome/testkit';
import type { AnyData } from '../system/api.js';
import { startPilot } from '../system/pilots.js';
import { root } from '../system/playground-system.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';
import { RunClient } from './run-client.js';

/** Size of a story. */
export interface StoryForm {
  readonly seconds: number;
  readonly slicesPerFrame: number;
  readonly workers: number;
  /** Workers of each pilot. */
  readonly perPilot: number;
  /** Slices that a worker leases together. */
  readonly batch: number;
  readonly leaseSeconds: number;
  /** Seconds of work on a slice. */
  readonly workSeconds: number;
}

const frameMs = 600;
const queue = 'reco';
const runNumber = 4711;

/** Works on a batch of slices: each takes its time, and reports what it was. */
const payload = ({ batch, workSeconds }: StoryForm): string =>
  `"$RHIZOME_TOOLS/rhizome-job" units --pool "$EPIC_POOL" --max ${batch} --lines -- sh -c 'while read -r slice; do sleep ${workSeconds}; done'`;

/** Declares the story. */
export function epicStreamStory(form: StoryForm): void {
  it('counts each slice once, through standby, a killed worker and a restart of the gateway', async () => {
    const system = await startServices({ experiments: ['epic'] });
    await makeQueue(system);
    const [victim] = await Promise.all(
      Array.from({ length: Math.ceil(form.workers / form.perPilot) }, (_, index) =>
        startPilot(system, { name: `node-${index}`, queue, cores: form.perPilot }),
      ),
    );
    const run = new RunClient(system, runNumber);
    await run.change('announceEpicLiveRun', announcement(form));
    const ready = await run.until('workers before the run', ({ paths }) => {
      const { workers } = paths[0].lanes[0];
      return workers.running >= form.workers - 1;
    });
    const { poolId, fleetId } = ready.paths[0].lanes[0];
    const results = await run.results(poolId);
    const agent = await startAgent(system);
    await run.daq('PHYSICS');
    await takeData(form, {
      record: (number) => writeFrame(agent.folder, number),
      standby: () => standby(run, fleetId),
      kill: () => victim?.kill('SIGKILL') ?? Promise.reject(new Error('no worker')),
      restart: async () => {
        system.service('gateway').signal('SIGTERM');
        await system.startAgain('gateway');
      },
    });
    await run.until('all frames', ({ frames }) => frames.announced === framesOf(form));
    await run.daq('ENDED');
    expect(await agent.process.kill('SIGTERM')).toMatchObject({ code: 0 });
    const ended = await run.until('the end of the run', ({ endedAt }) => endedAt !== null, 300_000);
    const all = framesOf(form) * form.slicesPerFrame;
    expect(ended.frames).toMatchObject({ announced: framesOf(form), missing: 0 });
    expect(ended.paths[0]).toMatchObject({
      ...{ announcedSlices: all, fedSlices: all, latency: { results: all } },
      slices: { waiting: 0, leased: 0, completed: all, dead: 0 },
    });
    await waitFor('the results', () => results.length >= all, { deadlineMs: 60_000 });
    expect({ results: results.length, slices: new Set(results).size }).toEqual({ results: all, slices: all });
    report(ended, await decisionsOf(run, fleetId));
  });
}

const framesOf = ({ seconds }: StoryForm): number => Math.floor((seconds * 1000) / frameMs);

/** The agent that watches the folder of frames, as a process. */
async function startAgent({ data, url, token }: ServiceSystem) {
  const folder = join(data, 'stf');
  await mkdir(folder);
  const tokenFile = join(data, 'shift.token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  const settings = {
    ...{ FOLDER: folder, RUN_NUMBER: String(runNumber), JOURNAL_FILE: join(data, 'announced') },
    ...{ GATEWAY_URL: url, TOKEN_FILE: tokenFile },
  };
  const env = Object.entries(settings).map(([name, value]) => [`RHIZOME_EPIC_WATCH_${name}`, value]);
  const process = spawnProcess({
    name: 'the agent',
    command: 'node',
    args: [join(root, 'experiments', 'epic', 'bundle', 'watch.js')],
    env: Object.fromEntries(env),
  });
  await process.line(/folder watched/, 60_000);
  return { folder, process };
}

/** Writes a frame as data acquisition does: under another name, and renamed into place. */
async function writeFrame(folder: string, number: number): Promise<void> {
  const name = `run_${runNumber}_${String(number).padStart(6, '0')}.stf`;
  await writeFile(join(folder, `.${name}`), `frame ${number}\n`);
  await rename(join(folder, `.${name}`), join(folder, name));
}

function announcement(form: StoryForm): object {
  const { slicesPerFrame, workers, leaseSeconds } = form;
  const sizes = {
    maxWorkers: workers,
    prewarmedWorkers: workers - 1,
    targetLagSeconds: 2,
    idleSeconds: 5,
    leaseSeconds,
    maxAttempts: 20,
  };
  const path = { name: 'FAST', command: 'sh', arguments: ['-c', payload(form)], memoryMiB: 64 };
  return {
    ...{ detectorConfiguration: 'epic_craterlake_18x275', slicesPerFrame, settleSeconds: 1 },
    paths: [{ ...path, ...sizes, queues: [queue] }],
  };
}

/** Makes a queue whose dead workers lose their jobs within seconds. */
async function makeQueue(system: ServiceSystem): Promise<void> {
  const limits = { heartbeatSeconds: 2, leaseSeconds: 10 };
  const continuity = { maxContinueSeconds: 0 };
  await system.api().change('createQueue', { name: queue, site: 'BNL', limits, continuity });
}

interface Events {
  readonly record: (number: number) => Promise<unknown>;
  readonly standby: () => Promise<unknown>;
  readonly kill: () => Promise<unknown>;
  readonly restart: () => Promise<unknown>;
}

/** Announces the frames, each at its time, while the other events happen. */
async function takeData(form: StoryForm, { record, standby: pause, kill, restart }: Events): Promise<void> {
  const frames = framesOf(form);
  const at = (part: number): number => Math.floor(frames * part);
  const pending: Promise<unknown>[] = [];
  for (let number = 0; number < frames; number += 1) {
    await record(number);
    if (number === at(0.25)) pending.push(kill());
    if (number === at(0.5)) await pause();
    if (number === at(0.75)) pending.push(restart());
    await delay(frameMs);
  }
  await Promise.all(pending);
}

/** Interrupts the run until its fleet is paused, and measures both changes. */
async function standby(run: RunClient, fleetId: string): Promise<void> {
  const untilFleet = async (state: string): Promise<number> => {
    const from = performance.now();
    const text = 'query ($id: ID!) { fleet(id: $id) { state } }';
    await waitFor(
      `a fleet that is ${state}`,
      async () => (await run.core(text, { id: fleetId })).fleet.state === state,
      { deadlineMs: 60_000 },
    );
    return (performance.now() - from) / 1000;
  };
  await run.daq('STANDBY');
  const pause = await untilFleet('PAUSED');
  await run.until('a held feed', ({ paths }) => paths[0].lanes[0].feed.isHeld);
  await run.daq('PHYSICS');
  const resumption = await untilFleet('RUNNING');
  print(`pause ${pause.toFixed(2)} s and resumption ${resumption.toFixed(2)} s after their announcements`);
}

/** Decisions of the fleet, oldest first. */
async function decisionsOf(run: RunClient, id: string): Promise<readonly AnyData[]> {
  const text =
    'query ($id: ID!) { fleet(id: $id) { decisions(first: 100) { nodes { reason message previousTargetJobs targetJobs } } } }';
  return [...(await run.core(text, { id })).fleet.decisions.nodes].reverse();
}

/** Prints what was measured. */
function report({ paths: [path], frames }: AnyData, decisions: readonly AnyData[]): void {
  const { latency, cost, slices } = path;
  const seconds = (value: number): string => `${value.toFixed(2)} s`;
  print(
    `latency p50 ${seconds(latency.p50)}, p95 ${seconds(latency.p95)}, minimum ${seconds(latency.minimum)}`,
  );
  for (const { step, p50, p95 } of latency.parts) print(`  ${step} p50 ${seconds(p50)}, p95 ${seconds(p95)}`);
  const core = (hours: number): string => `${(hours * 3600).toFixed(0)} core seconds`;
  print(`${frames.announced} frames, ${slices.completed} slices, ${slices.failedAttempts} failed attempts`);
  print(`cost ${core(cost.busyCoreHours)} of work, ${core(cost.heldCoreHours)} of workers`);
  for (const { reason, message, previousTargetJobs: from, targetJobs: to } of decisions)
    print(`  ${reason} ${from} → ${to}: ${message}`);
}

function print(line: string): void {
  process.stderr.write(`measured: ${line}\n`);
}
