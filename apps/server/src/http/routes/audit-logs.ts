import { Readable } from 'node:stream';
import {
  AuditEntry,
  AuditVerification,
  ExportAuditQuery,
  ListAuditQuery,
  page,
  success,
  VerifyAuditQuery,
} from '@carcosa/contracts';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['audit-logs'];
const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8', jsonl: 'application/jsonl; charset=utf-8' };

/** What was done and what was refused: pages of it, all of it, and whether it is still what it was. */
export const auditLogRoutes: Routes = (app, { audit, clock }) => {
  app.get(
    '/api/v1/audit-logs',
    {
      config: { permission: 'audit-logs:read' },
      schema: {
        tags,
        summary: 'List what was done and what was refused, newest first',
        description:
          'A key sees its project, and one confined to a tenant that tenant. A user names an organization or a project. Administrators of the server who name neither see what belongs to no organization, such as log-ins.',
        querystring: ListAuditQuery,
        response: { 200: success(page(AuditEntry)) },
      },
    },
    async (request) => answer(clock, await audit.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/audit-logs/export',
    {
      config: { permission: 'audit-logs:read' },
      schema: {
        tags,
        summary: 'Download all entries as CSV or JSON lines',
        description:
          'In CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe that is not part of it.',
        querystring: ExportAuditQuery,
      },
    },
    async (request, reply) => {
      const { format } = request.query;
      const text = await audit.export(request.actor, request.query);
      return reply
        .header('Content-Type', CONTENT_TYPES[format])
        .header('Content-Disposition', `attachment; filename="audit-log.${format}"`)
        .header('X-Content-Type-Options', 'nosniff')
        .header('Cache-Control', 'no-store')
        .send(Readable.from(text));
    },
  );

  app.get(
    '/api/v1/audit-logs/verify',
    {
      config: { permission: 'audit-logs:read' },
      schema: {
        tags,
        summary: 'Verify the chain of the entries of an organization',
        description:
          'For its owners. Computes every hash anew, and names the first entry that was changed, removed or added.',
        querystring: VerifyAuditQuery,
        response: { 200: success(AuditVerification) },
      },
    },
    async (request) => answer(clock, await audit.verify(request.actor, request.query)),
  );
};
