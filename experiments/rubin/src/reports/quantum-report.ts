/** Reports of programs about the quanta of their cluster: lines of JSON in their standard output. Pure. */

/** Report about a quantum. */
export interface QuantumReport {
  readonly exitCode: number;
  readonly seconds?: number;
}

/** A report with the name of the quantum. */
export interface NamedReport extends QuantumReport {
  readonly name: string;
}

/** Exit codes are numbers of 32 bits. */
const maxCode = 2 ** 31;
const marker = '"rubinQuantum"';

/** The report in a line such as `{"rubinQuantum":"isr-1","exitCode":0}`; undefined for other lines. */
export function reportIn(line: string): NamedReport | undefined {
  if (!line.includes(marker)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { rubinQuantum: name, exitCode, seconds } = parsed as Record<string, unknown>;
  if (typeof name !== 'string' || typeof exitCode !== 'number' || !Number.isInteger(exitCode))
    return undefined;
  if (exitCode < -maxCode || exitCode >= maxCode) return undefined;
  const isDuration = typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0;
  return { name, exitCode, ...(isDuration ? { seconds } : {}) };
}

/** Adds a report. A quantum that is done stays done: a later attempt need not run it again. */
export function addReport(reports: Map<string, QuantumReport>, { name, ...report }: NamedReport): void {
  if (reports.get(name)?.exitCode !== 0) reports.set(name, report);
}
