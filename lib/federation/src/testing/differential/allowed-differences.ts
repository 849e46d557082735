import { type ComparedAnswer, type ComparedError, nullAbove } from './compare.js';

/** A difference that is let pass. */
interface Rule {
  /** Why it is no fault of the engine. */
  readonly reason: string;
  /** Whether it explains that two answers of equal data tell different errors; `faults` are all that there are. */
  explains(ours: ComparedAnswer, theirs: ComparedAnswer, faults: readonly ComparedError[]): boolean;
}

/**
 * Allowed differences, by name. Every use is counted and printed; a campaign fails if all of them together are used
 * for more than one of a thousand operations.
 */
export const allowedDifferences: Readonly<Record<string, Rule>> = {
  'another item of the same list': {
    reason:
      'Two items of a list that may have no nulls are null: one that composition hides from clients, and one for ' +
      'its service itself, which nulls the list and tells of that item. What else was in the list is not known then.',
    explains: (ours, theirs, faults) => {
      const known = textsOf(faults, textOf);
      return (
        [...ours.errors, ...theirs.errors].every((error) => known.has(textOf(error))) &&
        [...textsOf(ours.errors, textOfList)].join() === [...textsOf(theirs.errors, textOfList)].join()
      );
    },
  },
  'one fault more below a null': {
    reason:
      'A fault that is caught below a null is told by graphql-js if it happens before the answer is complete. The ' +
      'engine answers later than graphql-js alone, whose answer was complete in every order that was tried.',
    explains: (ours, theirs, faults) => {
      const known = textsOf(faults, textOf);
      const more = [...ours.errors, ...theirs.errors];
      const shown = ({ data, errors }: ComparedAnswer): string =>
        [...textsOf(errors, (error) => JSON.stringify(nullAbove(data, error)))].join();
      const visible = ({ data, errors }: ComparedAnswer): string =>
        [
          ...textsOf(
            errors.filter((error) => nullAbove(data, error)?.length === error.path.length),
            textOf,
          ),
        ].join();
      return (
        more.every((error) => known.has(textOf(error))) &&
        shown(ours) === shown(theirs) &&
        visible(ours) === visible(theirs)
      );
    },
  },
};

function textsOf(errors: readonly ComparedError[], text: (error: ComparedError) => string): Set<string> {
  return new Set(errors.map(text).sort());
}

function textOf({ path, code }: ComparedError): string {
  return JSON.stringify([path, code]);
}

/** The same for all items of a list. */
function textOfList({ path, code }: ComparedError): string {
  const last = path.at(-1);
  return JSON.stringify([typeof last === 'number' ? [...path.slice(0, -1), '*'] : path, code]);
}
