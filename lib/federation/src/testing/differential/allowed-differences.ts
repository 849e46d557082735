import { type ComparedAnswer, type ComparedError, nullAbove, textOfError } from './compare.js';

/** An accepted difference. */
interface Rule {
  /** Reason why it is no fault of the engine. */
  readonly reason: string;
  /**
   * Returns whether it explains that two answers with equal data report different errors; `faults` are all
   * existing errors.
   */
  explains(ours: ComparedAnswer, theirs: ComparedAnswer, faults: readonly ComparedError[]): boolean;
}

/**
 * Allowed differences, by name. Every use is counted and printed; a campaign fails if all of them together
 * are used for more than one of a thousand operations.
 */
export const allowedDifferences: Readonly<Record<string, Rule>> = {
  'another item of the same list': {
    reason:
      'Two items of a list of non-null items are null: one that composition hides from clients, and one in its ' +
      'subgraph, which nulls the list and reports that item. The other items of the list are unknown then.',
    explains: (ours, theirs, faults) => {
      const known = textsOf(faults, textOfError);
      return (
        [...ours.errors, ...theirs.errors].every((error) => known.has(textOfError(error))) &&
        [...textsOf(ours.errors, textOfList)].join() === [...textsOf(theirs.errors, textOfList)].join()
      );
    },
  },
  'an additional error below a null': {
    reason:
      'graphql-js reports an error below a null if it occurs before the answer is complete. The engine answers ' +
      'later than graphql-js alone, whose answer was complete in every order that was tried.',
    explains: (ours, theirs, faults) => {
      const known = textsOf(faults, textOfError);
      const more = [...ours.errors, ...theirs.errors];
      const shown = ({ data, errors }: ComparedAnswer): string =>
        [...textsOf(errors, (error) => JSON.stringify(nullAbove(data, error)))].join();
      const visible = ({ data, errors }: ComparedAnswer): string =>
        [
          ...textsOf(
            errors.filter((error) => nullAbove(data, error)?.length === error.path.length),
            textOfError,
          ),
        ].join();
      return (
        more.every((error) => known.has(textOfError(error))) &&
        shown(ours) === shown(theirs) &&
        visible(ours) === visible(theirs)
      );
    },
  },
};

function textsOf(errors: readonly ComparedError[], text: (error: ComparedError) => string): Set<string> {
  return new Set(errors.map(text).sort());
}

/** The same for all items of a list. */
function textOfList({ path, code }: ComparedError): string {
  const last = path.at(-1);
  return JSON.stringify([typeof last === 'number' ? [...path.slice(0, -1), '*'] : path, code]);
}
