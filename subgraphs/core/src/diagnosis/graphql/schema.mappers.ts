/** Types behind the SDL types of diagnoses. */
export type { Diagnosis as DiagnosisMapper } from '../diagnosis.types.js';
export type { Cause as DiagnosisCauseMapper } from '../diagnosis.types.js';
export type { Evidence as DiagnosisEvidenceMapper } from '../diagnosis.types.js';
export type { Target as DiagnosisTargetMapper } from '../diagnosis.types.js';
export type { Help as DiagnosisHelpMapper } from '../diagnosis.types.js';
export type { Action as DiagnosisActionMapper } from '../diagnosis.types.js';
