export type { ReadFile } from './files.types.js';
export { detectFormat, importWorkflow, type ImportResult } from './import-workflow.js';
export { formats, type ImportFormat, type ImportRequest } from './import.types.js';
export type { ImportedWorkflow } from './workflow.types.js';
