import type { InputErrors, InputPath } from '@rhizome/errors';

const names = /^(\*|[a-z][a-z0-9]{1,30})$/;

/** Collects the error of a text that is neither `*` nor the name of an experiment. */
export function checkExperiment(path: InputPath, name: string, errors: Pick<InputErrors, 'form'>): void {
  errors.form(path, name, names, '`*` or the name of an experiment');
}
