import type {
  AmountChange,
  PayloadChanges,
  RequirementChanges,
  RetryChanges,
} from '../bulk/retry-changes.js';
import type {
  InputMaybe,
  RetryChangesInput,
  RetryPayloadInput,
  RetryRequirementsInput,
} from '../../types.generated.js';

/** Changes in terms of the domain; undefined without any, so that the call equals one without changes. */
export function retryChangesOf(input: InputMaybe<RetryChangesInput> | undefined): RetryChanges | undefined {
  return given<RetryChanges>({
    requirements: requirementChangesOf(input?.requirements),
    payload: payloadOf(input?.payload),
  });
}

/** Changed requirements in terms of the domain; undefined without any. */
export function requirementChangesOf(
  input: InputMaybe<RetryRequirementsInput> | undefined,
): RequirementChanges | undefined {
  const { memory, walltime } = input ?? {};
  return given<RequirementChanges>({
    cores: input?.cores ?? undefined,
    memory: given<AmountChange>({ value: memory?.memoryMiB, factor: memory?.factor }),
    diskMiB: input?.diskMiB ?? undefined,
    walltime: given<AmountChange>({ value: walltime?.seconds, factor: walltime?.factor }),
    queue: input?.queue,
  });
}

function payloadOf(input: InputMaybe<RetryPayloadInput> | undefined): PayloadChanges | undefined {
  return given<PayloadChanges>({
    command: input?.command ?? undefined,
    arguments: input?.arguments ?? undefined,
    image: input?.image ?? undefined,
    environment: input?.environment?.map(({ name, value }) => ({ name, value: value ?? null })),
  });
}

/** The members that are given; undefined if there are none. MongoDB would store undefined as null. */
function given<T extends object>(members: T): T | undefined {
  const kept = Object.entries(members).filter(([, member]) => member !== undefined);
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as T);
}
