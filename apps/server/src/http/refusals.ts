import { AUDIT_ACTIONS, type AuditAction } from '@carcosa/contracts';
import { type Actor, isAnyId, type Refusal } from '@carcosa/domain';
import type { ErrorCode } from '@carcosa/kernel';
import type { FastifyRequest } from 'fastify';
import { tokenOf } from './credentials.ts';
import { originOf } from './plugins/auth.ts';

/** Most ids that are looked for in one request. */
const MAX_IDS = 10;
const PUBLIC_ID = /^sk_([0-9A-Za-z]{8,32})_/;

/** What the audit log says of a request that was refused: nothing of its body but the account that somebody tried. */
export function refusalOf(request: FastifyRequest, result: ErrorCode): Refusal {
  const { method, routeOptions, params } = request;
  const route = routeOptions.url ?? '(none)';
  // Null before it is known who asks, and on public routes.
  const actor = (request.actor as Actor | null) ?? { type: 'anonymous' as const, origin: originOf(request) };
  const isStranger = actor.type === 'anonymous';
  const key = textOf(params, 'key');
  return {
    ...{ actor, result, request: { method, route }, action: actionOf(method, route) },
    ids: idsOf(request),
    publicId: isStranger ? PUBLIC_ID.exec(tokenOf(request) ?? '')?.[1] : undefined,
    fileKey: key !== undefined && key.length <= 64 ? key : undefined,
    account: route.startsWith('/api/v1/auth/') ? accountOf(request.body) : undefined,
  };
}

/** Named in the address, in the query, or as a project in the body. */
function idsOf({ params, query, body }: FastifyRequest): string[] {
  const values = [...Object.values(params ?? {}), ...Object.values(query ?? {}), textOf(body, 'projectId')];
  return values.filter((value): value is string => typeof value === 'string' && isAnyId(value)).slice(0, MAX_IDS);
}

/** What has the form of an address: people type passwords into the wrong field. */
function accountOf(body: unknown): string | undefined {
  const email = textOf(body, 'email');
  return email !== undefined && email.length <= 320 && /^[^\s@]+@[^\s@]+$/.test(email) ? email : undefined;
}

function textOf(source: unknown, name: string): string | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  const value = (source as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** What was attempted, as far as a route stands for one action. */
function actionOf(method: string, route: string): AuditAction {
  return ROUTE_ACTIONS[`${method} ${route}`] ?? generalAction(method, route);
}

const VERBS: Record<string, string> = { POST: 'create', PATCH: 'update', PUT: 'update', DELETE: 'delete' };
const ALL_ACTIONS: ReadonlySet<string> = new Set(Object.values(AUDIT_ACTIONS).flat());

/** `PATCH /api/v1/teams/:id` is `team.update`; what fits no action is `request.refuse`. */
function generalAction(method: string, route: string): AuditAction {
  const [, resources, rest] = /^\/api\/v1\/([a-z-]+)s(?:\/:\w+)?(\/.*)?$/.exec(route) ?? [];
  const action = `${resources}.${VERBS[method]}`;
  return rest === undefined && ALL_ACTIONS.has(action) ? (action as AuditAction) : 'request.refuse';
}

/** Routes whose action their address does not tell. */
export const ROUTE_ACTIONS: Record<string, AuditAction> = {
  'POST /api/v1/auth/login': 'session.login',
  'POST /api/v1/auth/login/two-factor': 'session.login',
  'POST /api/v1/auth/refresh': 'session.refresh',
  'POST /api/v1/auth/logout': 'session.logout',
  'POST /api/v1/auth/register': 'user.register',
  'POST /api/v1/auth/change-email': 'user.request-email-change',
  'POST /api/v1/auth/confirm-email': 'user.change-email',
  'POST /api/v1/auth/delete-account': 'user.delete',
  'PATCH /api/v1/organizations/:id/members/:userId': 'member.update',
  'DELETE /api/v1/organizations/:id/members/:userId': 'member.remove',
  'POST /api/v1/organizations/:id/transfer': 'organization.transfer',
  'POST /api/v1/organizations/:id/invitations': 'invitation.create',
  'POST /api/v1/invitations/:id/resend': 'invitation.resend',
  'DELETE /api/v1/invitations/:id': 'invitation.revoke',
  'POST /api/v1/invitations/accept': 'invitation.accept',
  'POST /api/v1/invitations/decline': 'invitation.decline',
  'PUT /api/v1/teams/:id/members/:userId': 'member.update',
  'DELETE /api/v1/teams/:id/members/:userId': 'member.remove',
  'POST /api/v1/projects/:id/rotate-signing-key': 'project.rotate-signing-key',
  'POST /api/v1/api-keys/:id/rotate': 'api-key.rotate',
  'DELETE /api/v1/api-keys/:id': 'api-key.revoke',
  'POST /api/v1/tenants/:id/tokens': 'token.create',
  'POST /api/v1/tokens/validate': 'token.validate',
  'GET /f/:key': 'file.read',
  'HEAD /f/:key': 'file.read',
  'GET /api/v1/files/:id': 'file.read',
  'GET /api/v1/files/:id/download': 'file.read',
  'GET /api/v1/files/:id/versions': 'file.read',
  'DELETE /api/v1/files/:id': 'file.trash',
  'POST /api/v1/files/:id/restore': 'file.restore',
  'POST /api/v1/files/:id/copy': 'file.copy',
  'POST /api/v1/files/:id/versions/:version/restore': 'file.restore-version',
  'POST /api/v1/files/:id/signed-url': 'file.sign-url',
  'POST /api/v1/files/bulk': 'file.bulk',
  'POST /api/v1/uploads/init': 'upload.create',
  'POST /api/v1/uploads/:id/parts': 'upload.write',
  'POST /api/v1/uploads/:id/complete': 'upload.complete',
  'DELETE /api/v1/uploads/:id': 'upload.abort',
  'POST /api/v1/webhooks/:id/rotate-secret': 'webhook.rotate-secret',
  'POST /api/v1/webhooks/:id/test': 'webhook.test',
  'POST /api/v1/webhooks/:id/replay': 'webhook.replay',
  'POST /api/v1/webhooks/:id/deliveries/:deliveryId/replay': 'webhook.replay',
  'POST /api/v1/events/:id/replay': 'webhook.replay',
  'POST /api/v1/alarms/:id/test': 'alarm.test',
  'POST /api/v1/jobs/retry': 'job.retry-all',
  'POST /api/v1/jobs/:id/retry': 'job.retry',
  'POST /api/v1/jobs/:id/cancel': 'job.cancel',
  'POST /api/v1/tus': 'upload.create',
  'PATCH /api/v1/tus/:id': 'upload.write',
  'DELETE /api/v1/tus/:id': 'upload.abort',
};
