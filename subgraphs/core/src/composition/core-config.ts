/** What of the configuration core itself looks at; `config.ts` reads all of it. */
import type { EventsConfig } from '../events/events.service.js';

/** See the head of this file. What is left out has a default. */
export interface CoreConfig {
  /**
   * Where this process takes GraphQL calls of other core processes. Asked when it begins to lead; undefined where it is alone.
   */
  readonly advertisedUrl?: () => string | undefined;
  readonly events?: Partial<EventsConfig>;
  readonly broker?: {
    /** A leader that is silent for so long has lost its lease, in milliseconds. */
    readonly leaseMs?: number;
    /** How often it is renewed, in milliseconds. */
    readonly renewMs?: number;
  };
  /** Bytes of one attempt's log at most. */
  readonly maxLogBytes?: number;
}

/** Defaults of {@link EventsConfig}. */
export const defaultEvents: EventsConfig = { ringSize: 131_072, bufferSize: 4096, countsSaveMs: 5000 };
