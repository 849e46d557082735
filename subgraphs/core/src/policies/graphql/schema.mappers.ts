/** Parent types of the resolvers of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { StoredDecision, StoredEffect } from '../../jobs/model/decision.types.js';
import type { PolicyVersionDocument, PolicyView } from '../policy.document.js';
import type { Simulation, SimulationResult } from '../simulation/simulations.service.js';
import type { RuleTotals, SimulatedChange, SimulationTotals } from '../simulation/simulation-totals.js';

export type PolicyMapper = PolicyView;
export type PolicyConnectionMapper = KeysetPage<PolicyView>;
export type PolicyVersionMapper = PolicyVersionDocument;
export type PolicyVersionConnectionMapper = KeysetPage<PolicyVersionDocument>;
export type AttemptDecisionMapper = StoredDecision;
export type DecisionEffectMapper = StoredEffect;
export type PolicySimulationResultMapper = SimulationResult;
export type PolicySimulationMapper = Simulation & SimulationTotals;
export type PolicySimulationRuleMapper = RuleTotals;
export type PolicySimulationSampleMapper = SimulatedChange;
