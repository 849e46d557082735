/** For tests: the reports of one job over a contact that the test opens and closes. */
import { silentLogger } from '@rhizome/log';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';
import type { LogChunk } from '../payload/output-capture.js';
import { Contact } from '../report/contact.js';
import { JobReports, type JobReportsServices } from '../report/job-reports.js';
import { Spool } from '../spool/spool.js';
import type { JobRecord } from '../spool/spool.types.js';
import { ScriptedCore } from './scripted-core.js';

/** Set-up of the current test. */
export interface ReportsSetup {
  readonly folder: string;
  readonly core: ScriptedCore;
  readonly contact: Contact;
  readonly services: JobReportsServices;
  /** Restores contact, as `worker_1`. @param confirm stands for a heartbeat */
  openContact(confirm?: () => void | Promise<void>): void;
  /** The spool of this process, with a limit. */
  openSpool(limitBytes?: number, name?: string): Promise<Spool>;
  /** Reports of a job that core has sent to `worker_1`. */
  reportsOf(spool: Spool, jobId: string): JobReports;
}

const pilot = { queue: 'q', name: 'pilot', host: 'host' };

/** Creates the set-up for each test of the file. */
export function reportsSetup(): ReportsSetup {
  let folder: string;
  let core: ScriptedCore;
  let contact: Contact;
  const made: JobReports[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reports-'));
    core = new ScriptedCore();
    contact = new Contact(core, 500);
    await core.registerWorker({ ...pilot, jobs: [] } as never);
  });
  afterEach(async () => {
    for (const reports of made.splice(0)) {
      reports.leave(new Error('the test is over'));
      await reports.close();
    }
    await rm(folder, { recursive: true, force: true });
  });
  const services = (): JobReportsServices => ({ core, contact, log: silentLogger() });
  return {
    get folder() {
      return folder;
    },
    get core() {
      return core;
    },
    get contact() {
      return contact;
    },
    get services() {
      return services();
    },
    openContact(confirm = () => undefined) {
      contact.open('worker_1', async () => confirm());
    },
    async openSpool(limitBytes = 1 << 20, name = pilot.name) {
      return Spool.open({ scratch: folder, owner: { ...pilot, name }, limitBytes, log: silentLogger() });
    },
    reportsOf(spool, jobId) {
      core.add({ jobId });
      const attemptId = `att_${jobId}`;
      const state = { jobId, fence: 1, attemptId, nextSequence: 0 };
      const reports = new JobReports(state, spool.attempt(attemptId), services());
      made.push(reports);
      return reports;
    },
  };
}

/** A chunk of output. */
export function chunk(text: string): LogChunk {
  return { sequence: 0, stream: 'STDOUT', text, at: new Date(0) };
}

const usage = { wallSeconds: 1, cpuSeconds: 1, peakMemoryMiB: 1 };

/** A report that the payload ended well. */
export function finished(phase: 'HOLDING' | 'FINISHED' = 'FINISHED'): JobRecord {
  return { kind: 'FINISH', report: { phase, exitCode: 0, usage: usage as never, outputs: [] } };
}
