/** Reads the logs of clusters whose jobs have ended, and stores the reports about their quanta. */
import { type ExperimentOptions, outputLines } from '@rhizome/experiment';
import type { QuantaRepository } from '../quanta.repository.js';
import type { QuantumReportDocument, StoredReport } from './quantum-report.document.js';
import { addReport, type QuantumReport, reportIn } from './quantum-report.js';
import { placeOf, type QuantumReportsRepository } from './quantum-reports.repository.js';
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
        let behind = '';
        for (;;) {
          const page = await reports.due(behind, pageSize);
          for (const due of page) if (!signal.aborted) await reports.store(due, await this.#read(due));
          const last = page.at(-1);
          if (!last || page.length < pageSize || signal.aborted) break;
          behind = last._id;
        }
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'reports of quanta could not be read; this is retried');
    }
  }

  async #read(due: QuantumReportDocument): Promise<readonly StoredReport[]> {
    const { core, quanta, workflowOf } = this.#options;
    const { workflowId, node } = placeOf(due);
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
