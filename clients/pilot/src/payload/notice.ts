/** Notice that a payload receives before its end. */
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';

/** Reason for which a payload ends. */
export type EndReason = 'WALLTIME' | 'DRAIN' | 'PREEMPTION';

/** A job's wishes for its notice. */
export interface NoticeTerms {
  /** Time between the notice and the end. */
  readonly seconds: number;
  /** Signal that comes with it; null for none. */
  readonly signal: NodeJS.Signals | null;
  /** File that describes the end. */
  readonly file: string;
}

/** A notice that was given. */
export interface Notice {
  readonly reason: EndReason;
  /** Time of the end, as ISO 8601. */
  readonly endsAt: string;
}

/**
 * Writes the file that describes the end, in the form of shell assignments. The payload may write in its
 * folder, so a link that it has put there is replaced and not followed.
 */
export async function writeDeadline(file: string, { reason, endsAt }: Notice): Promise<void> {
  const seconds = Math.floor(Date.parse(endsAt) / 1000);
  const aside = `${file}.${randomUUID()}`;
  const text = `end=${endsAt}\nend_epoch=${seconds}\nreason=${reason}\n`;
  try {
    await writeFile(aside, text, { flag: 'wx', mode: 0o644 });
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
