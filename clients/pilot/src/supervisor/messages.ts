import type { EndReason } from '../payload/notice.js';
import type { CaptureLimits } from '../payload/output-capture.js';
import type { PayloadLimits, PayloadResult, PayloadSpec } from '../payload/payload.js';

/** A payload to start. */
export interface StartRequest {
  readonly attemptId: string;
  readonly spec: PayloadSpec;
  readonly limits: PayloadLimits;
  readonly capture: CaptureLimits;
  /** Time for which it runs on while core is silent; 0 to stop it with the lease. */
  readonly continueSeconds: number;
  /** Texts that its log must not show, in base64. */
  readonly masked: readonly string[];
  /** Folder with its secrets, which is removed when it ends. */
  readonly secrets: string | null;
}

/** Contact with core, as the pilot sees it. */
export interface CoreContact {
  /** When the last answered call was sent, in ms of the host's monotonic clock. */
  readonly answeredAtMs: number;
  readonly leaseSeconds: number;
}

/** A message of a pilot. Those with a number are answered. */
export type PilotMessage =
  | ({ readonly kind: 'START'; readonly number: number } & StartRequest)
  | {
      readonly kind: 'MASK';
      readonly number: number;
      readonly attemptId: string;
      readonly masked: readonly string[];
    }
  | { readonly kind: 'TERMINATE'; readonly attemptId: string; readonly graceSeconds: number | null }
  | {
      readonly kind: 'NOTICE';
      readonly attemptId: string;
      readonly reason: EndReason;
      readonly seconds: number;
    }
  | ({ readonly kind: 'CONTACT' } & CoreContact)
  /** Asks whether the supervisor works. */
  | { readonly kind: 'PING'; readonly number: number }
  /** The attempt is over for the pilot: nothing of it is kept. */
  | { readonly kind: 'FORGET'; readonly attemptId: string }
  /** The pilot ends; the supervisor ends as soon as no payload runs. */
  | { readonly kind: 'END' };

/** A payload that a supervisor has. */
export interface SupervisedPayload {
  readonly attemptId: string;
  /** First process of the payload. */
  readonly pid: number;
  /** Bytes of its log so far. */
  readonly outputBytes: number;
  /** Time at which it received notice of its end, as ISO 8601; absent without one. */
  readonly noticedAt?: string | undefined;
}

/** End of a payload. */
export interface PayloadEnd {
  readonly result: PayloadResult;
  /** Bytes of its whole log. */
  readonly outputBytes: number;
}

/** Facts about a supervisor. */
export interface SupervisorFacts {
  readonly pid: number;
  /** Program and settings that it was started with. */
  readonly settings: string;
  /** Controllers that limit its payloads; null without control groups. */
  readonly controllers: readonly string[] | null;
  /** The reason why it uses no control groups. */
  readonly reason: string | null;
}

/** A message of a supervisor. */
export type SupervisorMessage =
  | ({ readonly kind: 'HELLO'; readonly payloads: readonly SupervisedPayload[] } & SupervisorFacts)
  | { readonly kind: 'DONE'; readonly number: number; readonly pid: number | null }
  | {
      readonly kind: 'FAILED';
      readonly number: number;
      readonly code: string | null;
      readonly message: string;
    }
  /** Another pilot has connected, and has the payloads from now on. */
  | { readonly kind: 'REPLACED' }
  | { readonly kind: 'OUTPUT'; readonly attemptId: string; readonly bytes: number }
  /** It receives notice of its end. */
  | { readonly kind: 'NOTICED'; readonly attemptId: string; readonly at: string }
  | ({ readonly kind: 'ENDED'; readonly attemptId: string } & PayloadEnd);
