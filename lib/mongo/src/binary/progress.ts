/** A step of getting mongod, for a line on a terminal. */
export interface FetchProgress {
  /** Description of the current step: `downloading mongod 8.0.12 from MongoDB`. */
  readonly step: string;
  /** Bytes that are there, where that is known. */
  readonly bytes?: number;
  /** Bytes in all, where that is known. */
  readonly totalBytes?: number;
  /** 0 to 100, where that is known. */
  readonly percent?: number;
}

/** Called for each step; `progressLine` formats one as a line. */
export type OnProgress = (progress: FetchProgress) => void;

/** One line for a terminal: step, MiB and percent where they are known. */
export function progressLine({ step, bytes, totalBytes, percent }: FetchProgress): string {
  const mebi = (count: number): string => (count / 1024 / 1024).toFixed(1);
  const amount =
    bytes === undefined
      ? ''
      : ` ${mebi(bytes)}${totalBytes === undefined ? '' : ` of ${mebi(totalBytes)}`} MiB`;
  const share = percent === undefined ? '' : ` (${Math.floor(percent)} %)`;
  return `${step}${amount}${share}`;
}

/** A report with bytes and the percentage that follows from them. */
export function withBytes(step: string, bytes: number, totalBytes?: number): FetchProgress {
  if (!totalBytes) return { step, bytes };
  return { step, bytes, totalBytes, percent: Math.min(100, (bytes / totalBytes) * 100) };
}
