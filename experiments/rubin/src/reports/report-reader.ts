/** Reads the logs of clusters whose jobs have ended, and stores the reports about their quanta. */
import { type ExperimentOptions, outputLines, positionOf } from '@rhizome/experiment';
import type { QuantaRepository } from '../quanta.repository.js';
import type { QuantumReportDocument, StoredReport } from './quantum-report.document.js';
import { addReport, type QuantumReport, reportIn } from './quantum-report.js';
import type { QuantumReportsRepository } from './quantum-reports.repository.js';
import { firstQuantumAt, quantaAt } from '../workflow.js';
import type { WorkflowDocument } from '../workflow.document.js';

/** Dependencies of {@link ReportReader}. */
export interface ReportReaderOptions extends Pick<ExperimentOptions, 'core' | 'log'> {
  readonly quanta: QuantaRepository;
  readonly reports: QuantumReportsRepository;
  /** The workflow of an id; undefined if it is gone. */
  readonly workflowOf: (id: string) => Promise<WorkflowDocument | undefined>;
}

const pageSize = 50;
/** Failures to read the logs of a cluster, after which only what was known of it is kept. */
const maxTries = 20;

/** One reading at a time; a call during one makes it look again. */
export class ReportReader {
  readonly #options: ReportReaderOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isAskedAgain = false;

  constructor(options: ReportReaderOptions) {
    this.#options = options;
  }

  /** Reads what is due. What cannot be read now is read after the next call. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isAskedAgain = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Stops after the current log. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { reports, log } = this.#options;
    const { signal } = this.#stopping;
    try {
      while (this.#isAskedAgain && !signal.aborted) {
        this.#isAskedAgain = false;
        const unread: QuantumReportDocument[] = [];
        let read = 0;
        let behind = '';
        for (;;) {
          const page = await reports.due(behind, pageSize);
          for (const due of page) {
            if (signal.aborted) return;
            if (await this.#take(due)) read += 1;
            else unread.push(due);
          }
          const last = page.at(-1);
          if (!last || page.length < pageSize) break;
          behind = last._id;
        }
        // If none could be read, that says nothing about single logs.
        if (read > 0) for (const due of unread) await this.#count(due);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'reports of quanta could not be read; this is retried');
    }
  }

  /** Reads and stores; one that cannot be read must not hold up the others. @returns false if it cannot */
  async #take(due: QuantumReportDocument): Promise<boolean> {
    const { reports, log } = this.#options;
    try {
      await reports.store(due, await this.#read(due));
      return true;
    } catch (error) {
      const { _id, jobId } = due;
      if (!this.#stopping.signal.aborted)
        log.warn({ err: error, cluster: _id, jobId }, 'log of a cluster could not be read; this is retried');
      return false;
    }
  }

  /** Counts a failure; after the last, the cluster keeps the reports that it has. */
  async #count(due: QuantumReportDocument): Promise<void> {
    const { reports, log } = this.#options;
    const { _id, jobId, tries = 0, quanta } = due;
    if (tries + 1 < maxTries) return reports.failed(due);
    log.error({ cluster: _id, jobId, tries: tries + 1 }, 'log of a cluster given up as unreadable');
    await reports.store(due, quanta);
  }

  async #read(due: QuantumReportDocument): Promise<readonly StoredReport[]> {
    const { core, quanta, workflowOf } = this.#options;
    const { parentId: workflowId, index: node } = positionOf(due);
    const workflow = await workflowOf(workflowId);
    if (!workflow) return [];
    const found = new Map<string, QuantumReport>();
    for (let attempt = 1; attempt <= due.attempts; attempt += 1)
      for await (const line of outputLines(core, { jobId: due.jobId, attempt }, this.#stopping.signal)) {
        const report = reportIn(line);
        if (report) addReport(found, report);
      }
    const first = firstQuantumAt(workflow, node);
    const inNode = await quanta.range(workflowId, first, quantaAt(workflow, node));
    return inNode.flatMap(({ name }, at) => {
      const report = found.get(name);
      return report ? [{ index: first + at, ...report }] : [];
    });
  }
}
