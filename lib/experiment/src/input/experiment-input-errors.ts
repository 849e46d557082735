/**
 * The rules of inputs that all experiments share: those of every input, and those of jobs that an experiment
 * describes.
 */
import { type InputError, InputErrors, type InputPath } from '@rhizome/errors';
import { type JobResourcesInput, resourceNames, resourceRanges } from './job-resources.js';

/** One entry of `userErrors`, with exactly the codes of its mutation. */
export type InputFault<C extends string = string> = Omit<InputError, 'code'> & { readonly code: C };

const placeholder = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g;
/** Most errors in one answer. */
const maxErrors = 100;

/** Errors of one input of an experiment. `C` lists the codes of the mutation besides `INVALID_VALUE`. */
export class ExperimentInputErrors<C extends string = never> extends InputErrors<C> {
  /** Errors found, at most 100. */
  get faults(): readonly InputError<C>[] {
    return this.all.slice(0, maxErrors);
  }

  /** A text in which core finds no parameter but these: it would be filled in, or refused. */
  parameters(path: InputPath, text: string, known: readonly string[] = []): void {
    for (const [found, name] of text.matchAll(placeholder)) {
      if (name !== undefined && known.includes(name)) continue;
      this.add(
        path,
        found,
        known.length > 0
          ? `one of the parameters ${known.map((one) => `{{${one}}}`).join(', ')}`
          : 'a text without {{…}}',
      );
    }
  }

  /** The program of a job and its arguments. */
  program(path: InputPath, command: string, known: readonly string[] = []): void {
    this.line(path, command, 1, 4096);
    this.parameters(path, command, known);
  }

  /** Arguments of a program. */
  programArguments(path: InputPath, values: readonly string[], known: readonly string[] = []): void {
    this.list(path, values, 900);
    const bytes = values.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0);
    if (bytes > 100_000) this.add(path, `${bytes} bytes`, 'at most 100000 bytes together');
    values.forEach((value, index) => {
      this.lines([...path, index], value, 0, Infinity);
      this.parameters([...path, index], value, known);
    });
  }

  /** Files that a job leaves. */
  outputs(path: InputPath, names: readonly string[], known: readonly string[] = []): void {
    this.distinct(path, names, 100);
    names.forEach((name, index) => this.fileName([...path, index], name, known));
  }

  /** The name of one file. */
  override fileName(path: InputPath, name: string, known: readonly string[] = []): boolean {
    const isName = super.fileName(path, name);
    this.parameters(path, name, known);
    return isName;
  }

  /** Amounts of resources, where they are there. */
  resources(path: InputPath, resources: JobResourcesInput): void {
    for (const name of resourceNames) {
      const [min, max] = resourceRanges[name];
      this.int([...path, name], resources[name], min, max);
    }
  }

  /** The fields that inputs of all experiments share, where they are there. */
  usual(input: UsualInput): void {
    this.text(['idempotencyKey'], input.idempotencyKey, 1, 200);
    this.resources([], input);
    this.int(['maxAttempts'], input.maxAttempts, 1, 20);
  }
}

/** Fields that {@link ExperimentInputErrors.usual} looks at. */
export interface UsualInput extends JobResourcesInput {
  readonly idempotencyKey: string;
  readonly maxAttempts?: number | null | undefined;
}

/** A selector that takes only workers with this label. */
export function workerLabel(key: string, value: string): string {
  return `worker.labels[${JSON.stringify(key)}] == ${JSON.stringify(value)}`;
}
