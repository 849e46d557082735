import type { FailReport, FinishReport, HeldJob } from '../protocol/core-protocol.js';
import type { Checkpoint } from '../checkpoints/checkpoint.types.js';
import type { LogChunk } from '../payload/output-capture.js';

/** A report about an attempt without its fence, which may change until the report is sent. */
export type JobRecord =
  | {
      readonly kind: 'LOG';
      readonly chunks: readonly SpooledChunk[];
      /** Bytes of the payload's log up to the end of the chunks. */
      readonly outputOffset?: number;
    }
  | { readonly kind: 'CHECKPOINT'; readonly checkpoints: readonly Checkpoint[] }
  | { readonly kind: 'FINISH'; readonly report: Omit<FinishReport, keyof HeldJob> }
  | { readonly kind: 'FAIL'; readonly report: Omit<FailReport, keyof HeldJob> };

/** A chunk of a log without its number, which depends on what is left out before it. */
export interface SpooledChunk extends Pick<LogChunk, 'stream' | 'text'> {
  /** ISO 8601. */
  readonly at: string;
}

/** Facts about an attempt that its reports need. */
export interface AttemptState extends HeldJob {
  readonly attemptId: string;
  /** Sequence number of the next chunk of its log: core has those before it. */
  readonly nextSequence: number;
  /** Bytes of the payload's log that these chunks are. */
  readonly outputOffset?: number;
}

/** Pilot that a spool belongs to: the next pilot with the same values continues it. */
export interface SpoolOwner {
  readonly queue: string;
  readonly name: string;
  readonly host: string;
  /** True if a launcher starts another pilot when it ends. */
  readonly isLaunched?: boolean;
  /** True if its payloads end when it does. */
  readonly endsWithPilot?: boolean;
}
