/** Parent types of the resolvers of the SDL of changes. */
import type {
  OpenTaskChange,
  StoredTaskChange,
  StoredTaskValueChange,
} from '../changes/task-change.types.js';
import type { TaskFacts } from '../task.document.js';
import type { TaskCommandEffect } from '../control/command-effect.js';
import type { TaskChangeError } from '../changes/task-changes.service.js';

/** A change, with its progress while it is being applied. */
export interface ShownTaskChange extends StoredTaskChange {
  readonly open?: OpenTaskChange | undefined;
}

export type TaskChangeMapper = ShownTaskChange;
export type TaskValueChangeMapper = StoredTaskValueChange;
export interface ChangeTaskPayloadMapper {
  readonly task: TaskFacts | null;
  readonly change: ShownTaskChange | null;
  readonly effect: TaskCommandEffect | null;
  readonly laterJobCount: number | null;
  readonly userErrors: readonly TaskChangeError[];
}
