BEGIN TRANSACTION;
CREATE TABLE alert_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    source INTEGER NOT NULL CHECK (source BETWEEN 1 AND 4),
    identity BLOB NOT NULL CHECK (length(identity) = 32),
    standing INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    state_since INTEGER NOT NULL,
    state_event INTEGER NOT NULL,
    state_actor TEXT NOT NULL,
    silence_until INTEGER,
    resolve_reason INTEGER,
    source_firing INTEGER NOT NULL,
    digest BLOB NOT NULL,
    firing_count INTEGER NOT NULL,
    resolved_count INTEGER NOT NULL,
    unreported_count INTEGER NOT NULL,
    notifications INTEGER NOT NULL,
    last_received INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    grouping_key TEXT NOT NULL,
    title TEXT NOT NULL,
    labels TEXT NOT NULL,
    receiver TEXT NOT NULL,
    external_url TEXT NOT NULL,
    truncated INTEGER NOT NULL, acknowledged_at INTEGER, acknowledged_by TEXT NOT NULL DEFAULT '', silenced_at INTEGER, route_id INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', source_link TEXT NOT NULL DEFAULT '', collected_by INTEGER, debug INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 4) = (resolve_reason IS NOT NULL)),
    CHECK (standing = CASE state WHEN 4 THEN id ELSE 9223372036854775807 END)
) STRICT;
INSERT INTO "alert_groups" VALUES(1,4,1,X'044910C964DC20BCF4D7E12EECD3A748C40622A80D8B2E74940863E476696DB3',1,4,1790000121000000,8,'ada',NULL,4,1,X'8BBC1EAA1349005885B6C952725E97302E354D19F89F41B47B236333F9424820',1,0,0,1,1790000000000000,0,1790000000000000,'old','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(2,2,1,X'224DD0A0A8C8FF108F6FB263EE59F94C7D64FD77D75F74C73F55DE849222700C',9223372036854775807,1,1790000000000000,1,'',NULL,NULL,1,X'0609EB890560022E9C15AB4AC43D77176230BED0FD8629453E66476292C85321',2,1,0,2,1790000000000000,0,1790000000000000,'firing','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(3,2,1,X'CAC832FE929EBE17E437C63E19BBF86B7552CC494A3657B4943A843E9A69937D',9223372036854775807,2,1790000000000000,4,'ada',NULL,NULL,1,X'9AF2B280DB1F481E9E38FF9BC017B5C4C93DB1E6AFBA8FB45DB5F1A0E5E7FB69',1,0,0,1,1790000000000000,0,1790000000000000,'acked','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,1790000000000000,'ada',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(4,2,1,X'06A9A2D1AD675BB6BDB13538698C3F2C71AA83DD8C16114EED7C7EBAE740AFDD',9223372036854775807,3,1790000000000000,6,'ada',1790086400000000,NULL,1,X'7ECDE34B9F63BB6A2893C0B85C70E931A72EC41E633E925DBC12079011FA13A9',1,0,0,1,1790000000000000,0,1790000000000000,'silenced','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',1790000000000000,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(5,2,1,X'4586E5CCF7EAABA9F2D087B8BE548932D9CCFFEDBBDFB0B0455AEE22C0430E90',5,4,1790000000000000,8,'',NULL,1,0,X'93EFF2744FEC764370714CD258CA9E1690515AEC4C9E96826279C8624CAABD60',0,1,0,2,1790000000000000,0,1790000000000000,'resolved by source','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(6,2,1,X'B34A8D9224C4BB5A2CEC2A47B6CF126619DD1ABD1B36EF3ADFC72038C532B4F5',6,4,1790000000000000,8,'ada',NULL,2,1,X'D41D113BDEEDBE39E356B94287925A11BAC8CBEAE275C6B508065FF94B52CE97',1,0,0,1,1790000000000000,0,1790000000000000,'resolved by ada','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(7,2,1,X'E3DD8465109F1E8E924272915B151FB6293B017B61F5FE36A147E42ADA51892C',9223372036854775807,1,1790000001000000,2,'',NULL,NULL,1,X'86FCB50BD717C7942083E4315EDD2ECCA5246624A1C1EA8A03CE60BCA1FC2B98',1,0,0,3,1790000001000000,500000,1790000000000000,'again','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(8,3,2,X'DEF7F7121E5FFB2970AE4130A9DC1067F8A1ECBC935C4CDCBE4098C3E8B637FF',9223372036854775807,1,1790000121000000,1,'',NULL,NULL,1,X'547275652031373930303030313231303030303030',1,0,0,1,1790000121000000,120000000,1790000121000000,'heartbeat','Heartbeat missing: quiet','{"alertname":"HeartbeatMissing","integration":"quiet"}','','',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(10,2,1,X'B11D0925E14AEC05AA5CE75E55D574B1709051F888230613C784730BBE0F3555',10,4,1790000121100000,14,'ada',NULL,6,0,X'',0,0,0,1,1790000121100000,120100000,1790000121100000,'','Wiped','{}','','',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(12,2,1,X'B41F6FDAD90CB9E1A7779DA44C050CA9366A2125574071FB41412858BB2E1E8C',9223372036854775807,1,1790000121100000,1,'',NULL,NULL,1,X'01D98169ABB612CB460C99075EDE7107D39950A405B29E0AECEBF53B5B4BCD4B',1,0,0,1,1790000121100000,120100000,1790000121100000,'routed','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,2,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(13,7,3,X'53A92D656A06716C69AAD72D8F035135A71F5E696D634CA122616D55738DAFDF',9223372036854775807,1,1790000121100000,1,'',NULL,NULL,1,X'3137393030383635323131303030303020616461',1,0,0,1,1790000121100000,120100000,1790000121100000,'maintenance/ys6cfp7dcvxh','Maintenance of kept until 2026-09-22T14:15:21Z','{"alertname":"Maintenance","integration":"kept"}','','',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(14,7,1,X'79DED6545A77D1F594AFFA3A8FF341F8D4A669F25E597D95B928081051FB5EBA',9223372036854775807,1,1790000121100000,1,'',NULL,NULL,1,X'2D3C315B07280EE0004B21BD95ECFC9B07C39A6DA6E171508C1EC5694AB11C70',1,0,0,1,1790000121100000,120100000,1790000121100000,'collected','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',13,0);
INSERT INTO "alert_groups" VALUES(15,2,4,X'D7F464CC65ED2B8C9B38EA9EBEB46C040EF7F329E383057D53CA53F4AF095405',9223372036854775807,1,1790000121100000,1,'',NULL,NULL,1,X'7B7D2F7B64656D6F3D227876366A3079667631746E61227D3A7B616C6572746E616D653D2244656D6F416C657274222C2073657665726974793D227761726E696E67227D',2,0,0,1,1790000121100000,120100000,1790000121100000,'{}/{demo="xv6j0yfv1tna"}:{alertname="DemoAlert", severity="warning"}','DemoAlert (warning)','{"alertname":"DemoAlert","severity":"warning","job":"demo"}','tocsin','http://alertmanager.example:9093',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(16,9,3,X'C8FD66B721EAC2FD401E9FB8073A108E4095FB994D9A4BB69E6D5869B0043EF4',16,4,1790000121300000,8,'ada',NULL,7,0,X'3137393030303337323133303030303020616461',0,1,0,1,1790000121300000,120300000,1790000121300000,'maintenance/m27w06cqmsdb','Maintenance of releasing until 2026-09-21T15:15:21Z','{"alertname":"Maintenance","integration":"releasing"}','','',0,NULL,'',NULL,0,'','',NULL,0);
INSERT INTO "alert_groups" VALUES(17,9,1,X'A60C61B6AA62CE147DBC3722873EB7EF79AAAE953E0C21BBF6267B53EA7E6D3B',9223372036854775807,1,1790000121300000,1,'',NULL,NULL,1,X'35D17F620B4AAC7F5F3718889DA8AAE526A0E058DE5A998C4567826A316103CF',1,0,0,1,1790000121300000,120300000,1790000121300000,'to be released','DiskFull','{"alertname":"DiskFull"}','tocsin','http://am-1',0,NULL,'',NULL,0,'','',16,0);
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES alert_groups (id),
    fingerprint TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    fired INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    generator_url TEXT NOT NULL, fired_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (group_id, fingerprint)
) STRICT;
INSERT INTO "alerts" VALUES(1,1,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(2,2,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(3,2,'b',2,1,NULL,NULL,'{"instance":"b"}','{"summary":"b is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(4,2,'c',1,1,NULL,NULL,'{"instance":"c"}','{"summary":"c is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(5,3,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(6,4,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(7,5,'a',2,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(8,6,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000000000000);
INSERT INTO "alerts" VALUES(9,7,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000001000000);
INSERT INTO "alerts" VALUES(10,8,'def7f7121e5ffb29',1,1,1790000121000000,NULL,'{"alertname":"HeartbeatMissing","integration":"quiet"}','{"summary":"No heartbeat from quiet for 1m","description":"Tocsin expects a heartbeat from the integration quiet every 1m; the last one came at 2026-09-21T14:13:21Z.","interval":"1m","last_beat":"2026-09-21T14:13:21Z"}','',1790000121000000);
INSERT INTO "alerts" VALUES(12,12,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000121100000);
INSERT INTO "alerts" VALUES(13,13,'53a92d656a06716c',1,1,1790000121100000,NULL,'{"alertname":"Maintenance","integration":"kept"}','{"summary":"Alert groups of kept that open until 2026-09-22T14:15:21Z are collected, and nobody is told","actor":"ada"}','',1790000121100000);
INSERT INTO "alerts" VALUES(14,14,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000121100000);
INSERT INTO "alerts" VALUES(15,15,'32c401364fb465c8',1,1,1790000121100000,NULL,'{"alertname":"DemoAlert","severity":"warning","job":"demo","instance":"demo-1.example:9100"}','{"summary":"This is a demo alert, as if of demo-1.example:9100","description":"Somebody asked Tocsin for a demo alert. Nothing is wrong, and nothing needs to be done."}','http://prometheus.example:9090/graph?g0.expr=demo',1790000121100000);
INSERT INTO "alerts" VALUES(16,15,'3cbf255100fc3483',1,1,1790000121100000,NULL,'{"alertname":"DemoAlert","severity":"warning","job":"demo","instance":"demo-2.example:9100"}','{"summary":"This is a demo alert, as if of demo-2.example:9100","description":"Somebody asked Tocsin for a demo alert. Nothing is wrong, and nothing needs to be done."}','http://prometheus.example:9090/graph?g0.expr=demo',1790000121100000);
INSERT INTO "alerts" VALUES(17,16,'c8fd66b721eac2fd',2,1,1790000121300000,1790000121300000,'{"alertname":"Maintenance","integration":"releasing"}','{"summary":"Alert groups of releasing that open until 2026-09-21T15:15:21Z are collected, and nobody is told","actor":"ada"}','',1790000121300000);
INSERT INTO "alerts" VALUES(18,17,'a',1,1,NULL,NULL,'{"instance":"a"}','{"summary":"a is in trouble"}','',1790000121300000);
CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL UNIQUE,
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    creator TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used INTEGER
) STRICT;
INSERT INTO "api_tokens" VALUES(1,'d391y2kj9dcg','grafana',1,X'E7C3D84A131D33C8EB78714C771980BCD5E05EA4093BF96807C04B800E308662','ada',1790000121100000,NULL,NULL);
CREATE TABLE audit_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    api_token TEXT NOT NULL,
    method TEXT NOT NULL,
    resource TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    trace_id TEXT NOT NULL
) STRICT;
INSERT INTO "audit_entries" VALUES(1,1790000000000000,'ada','','ContactPointService.CreateContactPoint','contactPoints/mf44r0cetfxb','{}','{"display_name":"anna","aliases":["anna@example.org"],"kind":"WEBHOOK","target":"http://127.0.0.1:9/****","bundle_window":0.0,"webhook.method":"POST","webhook.timeout":10.0,"webhook.is_signed":false,"webhook.has_ca_certificates":false,"webhook.has_client_certificate":false,"webhook.insecure_skip_verify":false}','32cb98efa2674459b0ebce0357f1fb37');
INSERT INTO "audit_entries" VALUES(2,1790000000000000,'ada','','ContactPointService.CreateContactPoint','contactPoints/nq9k905ynr35','{}','{"display_name":"team","kind":"APPRISE","target":"json://127.0.0.1:9","bundle_window":60.0,"apprise.service":"JSON"}','a162c7933cab421eb6e6e14ea02e2cab');
INSERT INTO "audit_entries" VALUES(3,1790000000000000,'ada','','ContactPointService.CreateContactPoint','contactPoints/a6pgtfjjvntc','{}','{"display_name":"gone","kind":"WEBHOOK","target":"https://hooks.example/****","bundle_window":0.0,"webhook.method":"POST","webhook.timeout":10.0,"webhook.is_signed":false,"webhook.has_ca_certificates":false,"webhook.has_client_certificate":false,"webhook.insecure_skip_verify":false}','04ed1542ca6347ddb692018afe413a44');
INSERT INTO "audit_entries" VALUES(4,1790000000000000,'ada','','ContactPointService.CreateContactPoint','contactPoints/02j41en6gbrb','{}','{"display_name":"duty","kind":"ON_CALL","target":"a text","bundle_window":0.0}','500e1dd270f54cc8923e9915af468f9c');
INSERT INTO "audit_entries" VALUES(5,1790000000000000,'ada','','EscalationChainService.CreateEscalationChain','escalationChains/732x08ra39n2','{}','{"display_name":"page","description":"","steps":[{"notify":["contactPoints/nq9k905ynr35","contactPoints/02j41en6gbrb"]},{"wait":3600.0},{"notify":["contactPoints/a6pgtfjjvntc"]},{"repeat":2}],"is_default":true}','1abfc5c0ab644b6fb487ebfd9630a54b');
INSERT INTO "audit_entries" VALUES(6,1790000000000000,'ada','','EscalationChainService.CreateEscalationChain','escalationChains/hbakhzfc6hc0','{}','{"display_name":"slow","description":"","steps":[{"wait":86400.0}],"is_default":false}','e3c2bc4046bf484c9c12c9cc48fea403');
INSERT INTO "audit_entries" VALUES(7,1790000000000000,'ada','','EscalationChainService.UpdateEscalationChain','escalationChains/hbakhzfc6hc0','{"display_name":"slow"}','{"display_name":"slower"}','d3a934e36a4a4b0cb87a116173cb2cd0');
INSERT INTO "audit_entries" VALUES(8,1790000000000000,'ada','','ContactPointService.DeleteContactPoint','contactPoints/a6pgtfjjvntc','{"display_name":"gone","kind":"WEBHOOK","target":"https://hooks.example/****","bundle_window":0.0,"webhook.method":"POST","webhook.timeout":10.0,"webhook.is_signed":false,"webhook.has_ca_certificates":false,"webhook.has_client_certificate":false,"webhook.insecure_skip_verify":false}','{}','0fdba4fb82bb466faeefa2947b785f9f');
INSERT INTO "audit_entries" VALUES(9,1790000000000000,'local','','IntegrationService.CreateIntegration','integrations/3tqktvngbgn1','{}','{"display_name":"prod","description":"Zürich","type":"alertmanager","reopen_window":300.0,"stale_after":21600.0,"retention":7776000.0,"token_fingerprint":"59f411ac"}','46ea67669249457b991b5f5a166c911e');
INSERT INTO "audit_entries" VALUES(10,1790000000000000,'local','','IntegrationService.CreateIntegration','integrations/ynwfsgestjfk','{}','{"display_name":"quiet","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"0b2fe8dc"}','7b7915d95bd943048b4638c3915016a7');
INSERT INTO "audit_entries" VALUES(11,1790000000000000,'local','','IntegrationService.CreateIntegration','integrations/rjzs1yb0bk70','{}','{"display_name":"old","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"bf71122f"}','612e2ec80b8a43d0badd2ac408789c57');
INSERT INTO "audit_entries" VALUES(12,1790000000000000,'ada','','AlertGroupService.AcknowledgeAlertGroup','alertGroups/3','{"state":"FIRING"}','{"state":"ACKNOWLEDGED","state_actor":"ada"}','5bec39aa5b72440c88bb14339204b9a8');
INSERT INTO "audit_entries" VALUES(13,1790000000000000,'ada','','AlertGroupService.SilenceAlertGroup','alertGroups/4','{"state":"FIRING"}','{"state":"SILENCED","state_actor":"ada","silence_until":"2026-09-22T14:13:20Z"}','347646c467234d3b89ef5a0d3ee995e1');
INSERT INTO "audit_entries" VALUES(14,1790000000000000,'ada','','AlertGroupService.ResolveAlertGroup','alertGroups/6','{"state":"FIRING"}','{"state":"RESOLVED","state_actor":"ada","resolve_reason":"USER"}','3c6d8806b889493c85380e819a6251c6');
INSERT INTO "audit_entries" VALUES(15,1790000001000000,'ada','','HeartbeatService.UpdateHeartbeat','integrations/ynwfsgestjfk/heartbeat','{"interval":600.0}','{"interval":60.0}','a5aee6aa72d6497392a06f1ab5f907ed');
INSERT INTO "audit_entries" VALUES(16,1790000121000000,'ada','','IntegrationService.DeleteIntegration','integrations/rjzs1yb0bk70','{"display_name":"old","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"bf71122f"}','{}','b110108ea1514e77b991dfa1d1c57130');
INSERT INTO "audit_entries" VALUES(17,1790000121100000,'ada','','NoteService.CreateNote','alertGroups/3/notes/1','{}','{"text_length":15}','b0dd851e00404aadbed1bb67bf8d901b');
INSERT INTO "audit_entries" VALUES(18,1790000121100000,'ada','','AccessService.CreateApiToken','apiTokens/d391y2kj9dcg','{}','{"display_name":"grafana","role":"VIEWER"}','2e10f38c4c104120b2437bc029c64af8');
INSERT INTO "audit_entries" VALUES(19,1790000121100000,'ada','','AlertGroupService.DeleteAlertGroup','alertGroups/9','{"state":"FIRING"}','{}','c1b1cf81f3e44caca8cbf8ae6e946467');
INSERT INTO "audit_entries" VALUES(20,1790000121100000,'ada','','AlertGroupService.WipeAlertGroup','alertGroups/10','{"state":"FIRING"}','{"state":"RESOLVED","state_actor":"ada","resolve_reason":"WIPED"}','bc8e633c5340442cba7d1ee5dcf4967a');
INSERT INTO "audit_entries" VALUES(21,1790000121100000,'local','','IntegrationService.CreateIntegration','integrations/7vg2btmfqp8m','{}','{"display_name":"short","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":86400.0,"token_fingerprint":"c1878c18"}','1b495dad56a343349e190f1dcd38f36d');
INSERT INTO "audit_entries" VALUES(22,1790000121100000,'ada','','AlertGroupService.ResolveAlertGroup','alertGroups/11','{"state":"FIRING"}','{"state":"RESOLVED","state_actor":"ada","resolve_reason":"USER"}','b7bbce5eb5924e829efb2a441532c71e');
INSERT INTO "audit_entries" VALUES(23,1790000121100000,'ada','','RouteService.CreateRoute','integrations/3tqktvngbgn1/routes/gggy9ntskq7r','{}','{"position":0,"matchers":"severity=\"page\"","description":"","notify_on_resolve":false}','fce1afe4b0ab429d9fca50a688a5d23f');
INSERT INTO "audit_entries" VALUES(24,1790000121100000,'ada','','RouteService.CreateRoute','integrations/3tqktvngbgn1/routes/7q2f8msvtq28','{}','{"position":1,"matchers":"alertname=\"DiskFull\"","description":"","escalation_chain":"escalationChains/hbakhzfc6hc0","notify_on_resolve":false}','57490c64eeb44387996040336736c89d');
INSERT INTO "audit_entries" VALUES(25,1790000121100000,'ada','','RouteService.CreateRoute','integrations/3tqktvngbgn1/routes/0bh6kzwby4js','{}','{"position":2,"matchers":"team=\"db\"","description":"","notify_on_resolve":false}','d65698bcd5054608ab11e049b908e26c');
INSERT INTO "audit_entries" VALUES(26,1790000121100000,'ada','','RouteService.DeleteRoute','integrations/3tqktvngbgn1/routes/gggy9ntskq7r','{"position":0,"matchers":"severity=\"page\"","description":"","notify_on_resolve":false}','{}','af72c9bb406d489f86e1a79ed95520b0');
INSERT INTO "audit_entries" VALUES(27,1790000121100000,'local','','IntegrationService.CreateIntegration','integrations/jf7sqybzm2m6','{}','{"display_name":"templated","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"templates.title":"{{ payload.status }}","token_fingerprint":"be69b36b"}','2a2c0652dd9b4b9c9001e2376d58f288');
INSERT INTO "audit_entries" VALUES(28,1790000121100000,'local','','IntegrationService.CreateIntegration','integrations/f9xwasajyr4n','{}','{"display_name":"kept","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"cd0981c6"}','4e43b51d995e4c819713975531d60539');
INSERT INTO "audit_entries" VALUES(29,1790000121100000,'local','','IntegrationService.CreateIntegration','integrations/x9kybdw6e2d9','{}','{"display_name":"planned","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"1b38bd12"}','e81634affebf485da5598cbab05c3633');
INSERT INTO "audit_entries" VALUES(30,1790000121100000,'ada','','IntegrationService.StartMaintenance','integrations/f9xwasajyr4n','{}','{"maintenance":"MAINTENANCE","maintenance_start":"2026-09-21T14:15:21.100000Z","maintenance_end":"2026-09-22T14:15:21.100000Z","maintenance_actor":"ada"}','405856ce6fc547b2a4e6eba445fec87c');
INSERT INTO "audit_entries" VALUES(31,1790000121100000,'ada','','IntegrationService.StartMaintenance','integrations/x9kybdw6e2d9','{}','{"maintenance":"DEBUG","maintenance_start":"2026-09-21T15:15:21Z","maintenance_end":"2026-09-21T16:15:21Z","maintenance_actor":"ada"}','de5163d76836433d8c395747eb89425b');
INSERT INTO "audit_entries" VALUES(32,1790000121100000,'ada','','IntegrationService.SendDemoAlert','alertGroups/15','{}','{"state":"FIRING"}','2f8befdb665a46be93f858af21fc8472');
INSERT INTO "audit_entries" VALUES(33,1790000121300000,'local','','IntegrationService.CreateIntegration','integrations/f8bcde9ty3dn','{}','{"display_name":"releasing","description":"","type":"alertmanager","reopen_window":300.0,"stale_after":0.0,"retention":7776000.0,"token_fingerprint":"42f9a4ad"}','146dba716491422f8ae8344f30a0de9f');
INSERT INTO "audit_entries" VALUES(34,1790000121300000,'ada','','IntegrationService.StartMaintenance','integrations/f8bcde9ty3dn','{}','{"maintenance":"MAINTENANCE","maintenance_start":"2026-09-21T14:15:21.300000Z","maintenance_end":"2026-09-21T15:15:21.300000Z","maintenance_actor":"ada"}','5a5911864db34b3d83c07f9b350cb805');
INSERT INTO "audit_entries" VALUES(35,1790000121300000,'ada','','IntegrationService.StopMaintenance','integrations/f8bcde9ty3dn','{"maintenance":"MAINTENANCE","maintenance_start":"2026-09-21T14:15:21.300000Z","maintenance_end":"2026-09-21T15:15:21.300000Z","maintenance_actor":"ada"}','{}','e3741b6ada7043f8b282bd7013be456d');
CREATE TABLE calendars (
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 2),
    read_at INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    expanded_until INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (contact_id, role)
) STRICT;
INSERT INTO "calendars" VALUES(4,1,1790000000000000,1790000000000000,'',1795529600000000,'BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART:20260101T000000Z
DTEND:20260108T000000Z
RRULE:FREQ=WEEKLY
SUMMARY:anna
END:VEVENT
END:VCALENDAR
');
CREATE TABLE chain_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chain TEXT NOT NULL,
    display_name TEXT NOT NULL,
    steps TEXT NOT NULL
) STRICT;
INSERT INTO "chain_versions" VALUES(1,'732x08ra39n2','page','[["notify",[2,4]],["wait",3600000000],["notify",[3]],["repeat",2]]');
INSERT INTO "chain_versions" VALUES(2,'hbakhzfc6hc0','slow','[["wait",86400000000]]');
INSERT INTO "chain_versions" VALUES(3,'hbakhzfc6hc0','slower','[["wait",86400000000]]');
INSERT INTO "chain_versions" VALUES(4,'','team','[["notify",[2]]]');
CREATE TABLE chosen_versions (
    group_id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id)
) STRICT;
INSERT INTO "chosen_versions" VALUES(15,4);
CREATE TABLE contact_points (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    aliases TEXT NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    settings TEXT NOT NULL,
    target TEXT NOT NULL,
    title_template TEXT NOT NULL,
    body_template TEXT NOT NULL,
    bundle_window INTEGER NOT NULL CHECK (bundle_window >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
INSERT INTO "contact_points" VALUES(1,'mf44r0cetfxb','anna','','["anna@example.org"]',1,'{"url":"http://127.0.0.1:9/anna","method":1,"headers":{},"signing_secret":"","timeout":10000000,"ca_certificates":"","client_certificate":"","client_key":"","insecure_skip_verify":false}','http://127.0.0.1:9/****','','',0,1790000000000000,1790000000000000,NULL);
INSERT INTO "contact_points" VALUES(2,'nq9k905ynr35','team','','[]',2,'{"url":"json://127.0.0.1:9","service":"JSON"}','json://127.0.0.1:9','','',60000000,1790000000000000,1790000000000000,NULL);
INSERT INTO "contact_points" VALUES(3,'a6pgtfjjvntc','gone','','[]',1,'{"url":"","method":1,"headers":{},"signing_secret":"","timeout":10000000,"ca_certificates":"","client_certificate":"","client_key":"","insecure_skip_verify":false}','','','',0,1790000000000000,1790000000000000,1790000000000000);
INSERT INTO "contact_points" VALUES(4,'02j41en6gbrb','duty','','[]',3,'{"schedule":{"url":"","file":""},"overrides":null}','a text','','',0,1790000000000000,1790000000000000,NULL);
CREATE TABLE daemon_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    intake_clock INTEGER NOT NULL,
    alive_at INTEGER NOT NULL
, forgotten INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "daemon_state" VALUES(1,120000000,1790000121000000,41);
CREATE TABLE escalation_chains (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id),
    is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO "escalation_chains" VALUES(1,'732x08ra39n2','page','',1,1,1790000000000000,1790000000000000);
INSERT INTO "escalation_chains" VALUES(2,'hbakhzfc6hc0','slower','',3,0,1790000000000000,1790000000000000);
CREATE TABLE escalations (
    group_id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
    step INTEGER NOT NULL CHECK (step >= 0),
    repeats TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    due_at INTEGER,
    CHECK ((state = 1) = (due_at IS NOT NULL))
) STRICT;
INSERT INTO "escalations" VALUES(2,1,1,2,'{}',1790000000000000,1790000001000000,1790003601000000);
INSERT INTO "escalations" VALUES(7,1,1,2,'{}',1790000001000000,1790000121000000,1790003721000000);
INSERT INTO "escalations" VALUES(8,1,1,2,'{}',1790000121000000,1790000121100000,1790003721100000);
INSERT INTO "escalations" VALUES(12,3,1,1,'{}',1790000121100000,1790000121200000,1790086521200000);
CREATE TABLE "events" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    state INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    fingerprints TEXT NOT NULL
) STRICT;
INSERT INTO "events" VALUES(1,1,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(2,2,1790000000000000,1,0,1,'','','','["a","b"]');
INSERT INTO "events" VALUES(3,2,1790000000000000,3,1,1,'','1 new alert while firing','','["c"]');
INSERT INTO "events" VALUES(4,3,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(5,3,1790000000000000,4,1,2,'ada','','mine','[]');
INSERT INTO "events" VALUES(6,4,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(7,4,1790000000000000,6,1,3,'ada','','','[]');
INSERT INTO "events" VALUES(8,5,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(9,5,1790000000000000,8,1,4,'','resolved by its source','','[]');
INSERT INTO "events" VALUES(10,6,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(11,6,1790000000000000,8,1,4,'ada','','','[]');
INSERT INTO "events" VALUES(12,7,1790000000000000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(13,7,1790000000000000,8,1,4,'','resolved by its source','','[]');
INSERT INTO "events" VALUES(14,7,1790000001000000,2,4,1,'','fired again within the reopen window','','[]');
INSERT INTO "events" VALUES(15,1,1790000001000000,19,1,1,'','page','','[]');
INSERT INTO "events" VALUES(16,1,1790000001000000,24,1,1,'','step 1 of 4: team','','[]');
INSERT INTO "events" VALUES(17,1,1790000001000000,24,1,1,'','step 1 of 4: anna, on call by duty','','[]');
INSERT INTO "events" VALUES(18,2,1790000001000000,19,1,1,'','page','','[]');
INSERT INTO "events" VALUES(19,2,1790000001000000,24,1,1,'','step 1 of 4: team','','[]');
INSERT INTO "events" VALUES(20,2,1790000001000000,24,1,1,'','step 1 of 4: anna, on call by duty','','[]');
INSERT INTO "events" VALUES(21,2,1790000001000000,26,1,1,'','anna: attempt 1 of 12: it is at an address that is not public, and the daemon was not started with a --webhook-network for it; again in 5s','','[]');
INSERT INTO "events" VALUES(22,1,1790000001000000,26,1,1,'','anna: attempt 1 of 12: it is at an address that is not public, and the daemon was not started with a --webhook-network for it; again in 5s','','[]');
INSERT INTO "events" VALUES(23,8,1790000121000000,1,0,1,'','Tocsin expects a heartbeat from the integration quiet every 1m; the last one came at 2026-09-21T14:13:21Z.','','["def7f7121e5ffb29"]');
INSERT INTO "events" VALUES(24,7,1790000121000000,19,1,1,'','page','','[]');
INSERT INTO "events" VALUES(25,7,1790000121000000,24,1,1,'','step 1 of 4: team, 2m late','','[]');
INSERT INTO "events" VALUES(26,7,1790000121000000,24,1,1,'','step 1 of 4: anna, on call by duty, 2m late','','[]');
INSERT INTO "events" VALUES(27,1,1790000121000000,26,1,1,'','team: attempt 1 of 12: A Connection error occurred sending JSON notification to 127.0.0.1. - HTTPConnectionPool(host=''127.0.0.1'', port=9): Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection(host=''127.0.0.1'', port=9): Failed to establish a new connection: [Errno 1..; again in 5s','','[]');
INSERT INTO "events" VALUES(28,2,1790000121000000,26,1,1,'','team: attempt 1 of 12: A Connection error occurred sending JSON notification to 127.0.0.1. - HTTPConnectionPool(host=''127.0.0.1'', port=9): Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection(host=''127.0.0.1'', port=9): Failed to establish a new connection: [Errno 1..; again in 5s','','[]');
INSERT INTO "events" VALUES(29,1,1790000121000000,8,1,4,'ada','its integration was deleted','','[]');
INSERT INTO "events" VALUES(30,1,1790000121000000,28,4,4,'','team: it is resolved','','[]');
INSERT INTO "events" VALUES(31,1,1790000121000000,28,4,4,'','anna: it is resolved','','[]');
INSERT INTO "events" VALUES(32,8,1790000121100000,19,1,1,'','page','','[]');
INSERT INTO "events" VALUES(33,8,1790000121100000,24,1,1,'','step 1 of 4: team','','[]');
INSERT INTO "events" VALUES(34,8,1790000121100000,24,1,1,'','step 1 of 4: anna, on call by duty','','[]');
INSERT INTO "events" VALUES(35,3,1790000121100000,11,2,2,'ada','alertGroups/3/notes/1','the disk, again','[]');
INSERT INTO "events" VALUES(37,9,1790000121100000,15,1,1,'ada','','','[]');
INSERT INTO "events" VALUES(38,10,1790000121100000,1,0,1,'','','','[]');
INSERT INTO "events" VALUES(39,10,1790000121100000,14,1,4,'ada','','','[]');
INSERT INTO "events" VALUES(42,12,1790000121100000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(43,13,1790000121100000,1,0,1,'','ada started a maintenance','','["53a92d656a06716c"]');
INSERT INTO "events" VALUES(44,14,1790000121100000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(45,14,1790000121100000,17,1,1,'','collected by alertGroups/13','','[]');
INSERT INTO "events" VALUES(46,15,1790000121100000,1,0,1,'','somebody asked for a demo alert','','["32c401364fb465c8","3cbf255100fc3483"]');
INSERT INTO "events" VALUES(47,12,1790000121200000,19,1,1,'','slower','','[]');
INSERT INTO "events" VALUES(48,15,1790000121200000,19,1,1,'','team','','[]');
INSERT INTO "events" VALUES(49,15,1790000121200000,24,1,1,'','step 1 of 1: team','','[]');
INSERT INTO "events" VALUES(50,15,1790000121200000,20,1,1,'','team','','[]');
INSERT INTO "events" VALUES(51,16,1790000121300000,1,0,1,'','ada started a maintenance','','["c8fd66b721eac2fd"]');
INSERT INTO "events" VALUES(52,17,1790000121300000,1,0,1,'','','','["a"]');
INSERT INTO "events" VALUES(53,17,1790000121300000,17,1,1,'','collected by alertGroups/16','','[]');
INSERT INTO "events" VALUES(54,16,1790000121300000,8,1,4,'ada','the maintenance ended: of what was collected 1 released, 0 resolved meanwhile','','[]');
CREATE TABLE heartbeats (
    integration_id INTEGER PRIMARY KEY REFERENCES integrations (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    interval INTEGER NOT NULL CHECK (interval > 0),
    last_beat INTEGER,
    deadline INTEGER,
    state_since INTEGER NOT NULL
) STRICT;
INSERT INTO "heartbeats" VALUES(2,2,600000000,1790000121000000,720000000,1790000121000000);
INSERT INTO "heartbeats" VALUES(3,3,60000000,1790000001000000,NULL,1790000121000000);
INSERT INTO "heartbeats" VALUES(5,1,600000000,NULL,NULL,1790000121100000);
INSERT INTO "heartbeats" VALUES(6,1,600000000,NULL,NULL,1790000121100000);
INSERT INTO "heartbeats" VALUES(7,1,600000000,NULL,NULL,1790000121100000);
INSERT INTO "heartbeats" VALUES(8,1,600000000,NULL,NULL,1790000121100000);
INSERT INTO "heartbeats" VALUES(9,1,600000000,NULL,NULL,1790000121300000);
CREATE TABLE integrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    token TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    reopen_window INTEGER NOT NULL CHECK (reopen_window >= 0),
    stale_after INTEGER NOT NULL CHECK (stale_after >= 0),
    retention INTEGER NOT NULL CHECK (retention > 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
, templates TEXT NOT NULL DEFAULT '{}', rate_limit INTEGER CHECK (rate_limit >= 0), chain_id INTEGER REFERENCES escalation_chains (id), notify_on_resolve INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "integrations" VALUES(1,'tocsin','tocsin','Tocsin','','16VtPPz5pE3HFmkazauhuKkSZGVDxpd6WkOsJ1PPEBc',X'D33E942A095027838634E94AD4CD4BA490F7E66D404A8DE9EA3A53F3C6B916C2',300000000,0,7776000000000,1790000000000000,1790000000000000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(2,'3tqktvngbgn1','alertmanager','prod','Zürich','MSIHERO9EgU2q85mZpmljAka_-pqhxRK_3HqzFJEcv0',X'59F411AC5CA123042B44C53EBD10AD100AA33B2095EBAFD5A44BEACFB8BB1F67',300000000,21600000000,7776000000000,1790000000000000,1790000000000000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(3,'ynwfsgestjfk','alertmanager','quiet','','WLLhw8aZEA_sSNA4V_Q0hW7cY4mzAjlceqzURpNnncc',X'0B2FE8DC963AB592FCF08AF6FDA77D5C7D1F98C7DE6454FD85CDD935C859BE5B',300000000,0,7776000000000,1790000000000000,1790000000000000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(4,'rjzs1yb0bk70','alertmanager','old','','',X'BF71122FA2D62A53A801EF2BC722E7BD1E7FC0FEEADE54BEF7899C2966A575CC',300000000,0,7776000000000,1790000000000000,1790000000000000,1790000121000000,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(5,'7vg2btmfqp8m','alertmanager','short','','oFNST2bkJUoQeYGgocoI3oVzXbsDDP_1BjzK2uE2Odk',X'C1878C187449C1EE0E10B3C95864A9E02598639027C512D328E70184DF3A87A3',300000000,0,86400000000,1790000121100000,1790000121100000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(6,'jf7sqybzm2m6','alertmanager','templated','','kAFL4XMnVV_KKjMWVhtE2PQbGZskAmBWfKD0q2-AT2M',X'BE69B36BF42AF64EB9289A1D4889057C1437C383C7093BDE2566A0709084BC16',300000000,0,7776000000000,1790000121100000,1790000121100000,NULL,'{"title":"{{ payload.status }}"}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(7,'f9xwasajyr4n','alertmanager','kept','','yS-GgSwttj8jqIMtSYJQP0UOPXkm7K1HhmTfFpLZz_E',X'CD0981C691CEAA8A515FFF4ED15720DE2C082EC38127FF70457587F4ECD8ADFE',300000000,0,7776000000000,1790000121100000,1790000121100000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(8,'x9kybdw6e2d9','alertmanager','planned','','1i5B79DFYNHPXpDdDH408YkPMoz2jyjXpufcTAKa2AE',X'1B38BD12ADE9916AE81ECCA583B465E4EDC5AB8EF93563DDFE9CE38531EEFA9E',300000000,0,7776000000000,1790000121100000,1790000121100000,NULL,'{}',NULL,NULL,0);
INSERT INTO "integrations" VALUES(9,'f8bcde9ty3dn','alertmanager','releasing','','P7mr6GqwvEp1oYaS6Md0tPmK3-GDpc9P2moZ2ZKo5MM',X'42F9A4AD85B8BA9CBF74A0BB74CFE044F55FE94632D22EF5EA55F5A563128C3F',300000000,0,7776000000000,1790000121300000,1790000121300000,NULL,'{}',NULL,NULL,0);
CREATE TABLE maintenances (
    integration_id INTEGER PRIMARY KEY REFERENCES integrations (id),
    mode INTEGER NOT NULL CHECK (mode BETWEEN 1 AND 2),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    running INTEGER NOT NULL,
    group_id INTEGER,
    actor TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK (ends_at > starts_at)
) STRICT;
INSERT INTO "maintenances" VALUES(7,2,1790000121100000,1790086521100000,1,13,'ada',1790000121100000);
INSERT INTO "maintenances" VALUES(8,1,1790003721000000,1790007321000000,0,NULL,'ada',1790000121100000);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    via_id INTEGER REFERENCES contact_points (id),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    step INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
INSERT INTO "messages" VALUES(1,1,2,NULL,1,1,5,'msg_2g7jfe0036rcqyzewykk4rr6',1,'A Connection error occurred sending JSON notification to 127.0.0.1. - HTTPConnectionPool(host=''127.0.0.1'', port=9): Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection(host=''127.0.0.1'', port=9): Failed to establish a new connection: [Errno 1..',1790000001000000,1790000121000000,1790000126829791,1790000121000000);
INSERT INTO "messages" VALUES(2,1,1,4,1,1,5,'msg_64bbr5htaw47wacxwggxw6ew',1,'it is at an address that is not public, and the daemon was not started with a --webhook-network for it',1790000001000000,1790000001000000,1790000006339974,1790000121000000);
INSERT INTO "messages" VALUES(3,2,2,NULL,1,1,1,'msg_1ghfg9c6vajwqmkyccjves2r',1,'A Connection error occurred sending JSON notification to 127.0.0.1. - HTTPConnectionPool(host=''127.0.0.1'', port=9): Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection(host=''127.0.0.1'', port=9): Failed to establish a new connection: [Errno 1..',1790000001000000,1790000121000000,1790000126829791,NULL);
INSERT INTO "messages" VALUES(4,2,1,4,1,1,1,'msg_3553xedtypbs3a820e3e3fzp',1,'it is at an address that is not public, and the daemon was not started with a --webhook-network for it',1790000001000000,1790000001000000,1790000006377680,NULL);
INSERT INTO "messages" VALUES(5,7,2,NULL,1,1,1,'msg_r8fwdnfma60yr5dyr6bc0da4',0,'',1790000121000000,1790000121000000,1790000121000000,NULL);
INSERT INTO "messages" VALUES(6,7,1,4,1,1,1,'msg_1b5y11kerkckb3j3sd34jsgr',0,'',1790000121000000,1790000121000000,1790000121000000,NULL);
INSERT INTO "messages" VALUES(7,8,2,NULL,1,1,1,'msg_3tpk2cng1qqhm60hxxdhbrd1',0,'',1790000121100000,1790000121100000,1790000121100000,NULL);
INSERT INTO "messages" VALUES(8,8,1,4,1,1,1,'msg_n194fy6kvqjrz1hgyb53rfvk',0,'',1790000121100000,1790000121100000,1790000121100000,NULL);
INSERT INTO "messages" VALUES(9,15,2,NULL,1,1,1,'msg_355s4qcaa7wame6qsx8196fc',0,'',1790000121200000,1790000121200000,1790000121200000,NULL);
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES alert_groups (id),
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO "notes" VALUES(1,3,'the disk, again','ada',1790000121100000,1790000121100000);
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL GENERATED ALWAYS AS (id / 2) VIRTUAL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO "payloads" VALUES(2,1790000000000000,X'789C3D8D3D0AC2401085AF32DD24B085B5B08517B0103B11D9984918D8CC84D9D922887777A360F71EDFFBE950F38801AE5629C021003673BBD0AAE6349E32997713CB4CB61A8B474C8D4FDCF41C7F9D9C06CA25BE90A5789227E1115AEA1D2089A82767951D97BA2CC9B62F052EC0026E5A874C7BB655F7C37856699B24E35FCF2464C9D51ED57244ECEFFD0769623D6C');
INSERT INTO "payloads" VALUES(4,1790000000000000,X'789CA58EB10A02310C865F255BEEA083B3D0C1177010371169BDDC51E8A5479A0E22BEBBAD078E87E096F07F7FF2753806093CA181B31432B0338075B99C6849A2341C228976634548964AAA4557F3B565D74E749E62B64F0C9CD5F19D700F957A1970CC499D86C42DCE659E9D3C3E29840C814125151FA9B1B5DA1EDA63E27A9378F8CE133189D324B722D122F60636F4FC4F7A7E53CFFFA577EDDFE8DB7682');
INSERT INTO "payloads" VALUES(5,1790000000000000,X'789CB58EB10A02310C865F255B3CE8E02C74707174103711697BB9A3D04B8FB41D447C777B1EE8E421885BC2FFFDC9B7C2CE8BE71E151CA59082B502ACCBE94063944CED3690E455571192B19259A3A9F9DCD27327184B21E91B7A4ED9B023DC40A5EE0A0C73CC26FBC8539CCA3018B93E53F0093C4396586CA089ADD5E9A1DE47AE3789DBD7DC1393981CE5522468C446C1829EFB4ACF2DEAB9FFE9D9B7DECE84F4C9CF2EFAD99FFCCECD03E03CAEA6');
INSERT INTO "payloads" VALUES(6,1790000000000000,X'789C3D8D3D0AC2401085AF32DD18D8C25AD8C20B58889D884C924918DCCC86D9D942C4BBBB51B07B8FEFFDEC9086078F18E0629503EC036033D733AFD99CC76362F3DD243AB3AD26EA11A9F1499A9EE3AF93A8E754E20B458B930E8C0768A9770052CD4E2E59375CEAB2903DBF14A48028B8E5DA27DEB2ADBA1DC653D6B6C93AFEF5CCCA469EED5E2D45C4EED67D00EC893E25');
INSERT INTO "payloads" VALUES(8,1790000000000000,X'789C3D8D3D0AC2401085AF32DD24B085B5B08517B0103B11D9984918D8CC86D9D922887777A260F71EDFFBE9B0722679D28801AEDA28C02100BAB95D682D6A349E32A97513CB4CBA2A8B454CCE27763DC75F27A781728D2F64A9967C0E8FE0A9778024522C1917D9716DCB9274FB52E00A2C605ADA9069CF7A753F8CE722BE4932FEF54C429AACE8A3698E88FDBDFF00DCFF3F74');
INSERT INTO "payloads" VALUES(10,1790000000000000,X'789C3D8D4D0AC2400C85AF92DD5898856B61165EC085B81391D4A625304D4A262314F1EE4E15DCBDC7F77E76C1A8687ED200FD0A45AB3D2844B858A508FB08A199EB991635A7E198C97C37B24C648BB1780AD8F8C84D4FE9D7C9D8532EE915588AA3B4B503B4D43B028AA8A3B3CA864B9D67B4F54B810BB0809BD63ED3966DD5ED309D54DA26C9F0D7130919BADABD5A4E2174B7EE03AF59433D');
INSERT INTO "payloads" VALUES(11,1790000000000000,X'789C3D8D3F0BC2400CC5BF4AB6B37083B370838BA383AB88A4362D07D7A4E4724211BFBBA988DB7BFCDE9F5D50AA529E3440BF4295A60F0A114E582A45D84708EEAE175A448D866321B5DD9879225D34B3A580CEC7EC7A4ABF52C19E4A4DAF90B91AB2EF1DC063EF08C82C869685375CDB3CA3AE5F0AB942663095D617DAB25EDD1ED359D8378987BF9E8849D144EF4D4B0AA1BB751F277943D3');
INSERT INTO "payloads" VALUES(12,1790000000000000,X'789C3D8DB10A023110447F65BBF52085B590C21FB0103B11D9337B4720B739361BE110FFDD44C16E867933B343E592D393038C1B50207470D1CA0EF60EB099EB99D7ACC6E198586D37459959578D621E3B3CC5A667FFEB241A3915FFC228C5481E8C0768D4DB018964238B597A5CEAB2906EDF14628128609AEB98B8B3ADDA0FFD294BDB64097F3DB3B09265BD574D1E71B80D1FA06741D2');
INSERT INTO "payloads" VALUES(14,1790000000000000,X'789C3D8D3D0A02311085AF32DDEC420A6B218517B0103B1199D5D930909D2C934921E2DDCD2AD8BDC7F77E06A444A218E06C8D03EC0260379713AFC59C1F87CCE6C32C9AD85613F588D4F92C5DA7F8EB649A38D7F842D1EAA477C63DF4D43B00A9162797A21BAE6D59C89E5F0A524114DC4A9B326FD95EDD0EE3B168DF647DFC756265232F766B9623E2781D3FF20D3E2D');
INSERT INTO "payloads" VALUES(15,1790000001000000,X'789C3D8D3D0A02311085AF32DDEC420A6B218517B0103B1199D5D930909D2C934921E2DDCD2AD8BDC7F77E06A444A218E06C8D03EC0260379713AFC59C1F87CCE6C32C9AD85613F588D4F92C5DA7F8EB649A38D7F842D1EAA477C63DF4D43B00A9162797A21BAE6D59C89E5F0A524114DC4A9B326FD95EDD0EE3B168DF647DFC756265232F766B9623E2781D3FF20D3E2D');
INSERT INTO "payloads" VALUES(24,1790000121100000,X'789C3D8D3D0AC2401085AF32DD24B085B5B08517B0103B11D9984918D8CC86D9D922887777A260F71EDFFBE9504B331A31C0551B0538044037B70BAD451D9C32A97513CB4CBA2A8B454CCE27763DC75F27A781728D2F64A996E44978044FBD03249162C9B8C88E6B5B96A4DB9702576001F3FB21D39EF5EA7E18CF457C9364FCEB99843459D147D31C11FB7BFF015ACD3EC0');
INSERT INTO "payloads" VALUES(28,1790000121100000,X'789C3D8D3D0AC2401085AF32DD24B085B5B08517B0103B11D924933030990DB3B385887777A360F71EDFFBE970CC22343A4D18E06A95021C026033B70B6DD91A3809997733EB42B619AB474C8DCFDCF4127F1D490349892F642D9E74243C424BBD0324D5ECC939EB8E4B5DD764CF2F052EC00A6EB90E427BB655F7C378CEDA3649A7BF5E48C992677B549388D8DFFB0F28553FDC');
INSERT INTO "payloads" VALUES(30,1790000121100000,X'789CED544D8FDA3014FC2B96CF7C3821A025D26A85B4B7AE7A68E9A5A5AA1CE705BC2576641B1614F1DF3B0E590AD29E56D59E2AF9E279CF33F3E6055AEE4891DE93E3390F56796DF880FB20C3CE03A9B4D3660D446EC905203FDA378A5B59D016487B6E33B226941FA9B68B788F8404051D8E805FA433E767CFB6C0BD441B2EDA80D728EA916132A283AC9B2DE5F344087E8205632CA4B5359D94DFD5B5749171B9D19EE148165FB2CEC380496015B3157B8B6E0011AF9C6E221D28BEDA9A0A5B1EF1EA37956CD905C12AEB6E4847ECB30D1B988F6A2FCE9A35644CC94C8F1AA2D2B3605941ACB48646D136C642728B009554A4B3A1980FD36499647932CDD3E43BAC9029CF75214432ECCE5288BC3BB1BE26434E06EBBE7D7942D72684261F8F1B07CF61433BFF77343117E3B593CDE6612D8036EEBE4FB7823D720DF6157526A9CA443299655591CDA6EA0E363F6AADE9BF5D6BFA7FAD576B5545954EA708A25293EC6EC24F3FA1E2ECAE797ACF2631A4B2756DCDBB5EDF7C0717AAC5EDB23F6C5B7408E48CDCDE44DDD1D5D24864781DF604E6318F3FBBCA781FE2278AF3B5A7711BCDDCAFF8613F7B16C76A9F2092153FE5ED251E142FF1ACF880BDE603BCCF07FDE00D6E67940C542EFABF5731E09843575A7521FD72247DE7023F4A1FD8758D9FFE004A95EA45');
INSERT INTO "payloads" VALUES(34,1790000121300000,X'789C3D8DBD0AC24010845F65BB357085B570852F60217622B231937070D90B7B9B42C477F7A26037C3373F3BF6423DC89021150307BAD88A40FB40DCCCF58CA59863386698EFC6A4136CB1A41E591A1F53D353FC75B2F4C835BE386975D107F8402DF50E24AAC5C553D10DD7759EC59E5F4AA95252722B6B9FB1655B753B8CA7A26D133AFCF504858917BBAF96237377EB3E4518415C');
CREATE TABLE releases (group_id INTEGER PRIMARY KEY) STRICT;
INSERT INTO "releases" VALUES(16);
CREATE TABLE requests (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    digest BLOB NOT NULL,
    response BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
INSERT INTO "requests" VALUES(X'6FE360A5CC94647136F0272B751181EEAE3E4CF2D005A0A36394244716513B3F',X'749DBA4B9FBD2B33251C1AAFF748FC3DC4431E874C93928D2C794D1098A78E42',X'7801E3D22AA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D473CECF2B494C2E09C8CFCC2B11AAE0924A46E217EBE7A69998141924A796A4552409B124E6E5252A09804887D48AC4DC829C54BDFCA2742D36014623260EAE28F18C9292022B7D7D4323733D032034B4B2D4D7028222015353F3C444330B0B73130BA3342323832A368E86EF47AEB2353142190017B83507',1790000000000000);
INSERT INTO "requests" VALUES(X'E9F5661FC42E18B7036CA3E1B61E632D85B22EBAEC337207C9F045092709AFB1',X'6B93FC4D041698CF35EFFCF84A21B1AB4A56BB66A154684E7A802389A5408FB6',X'7801E3D22AA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D473CECF2B494C2E09C8CFCC2B114AE5924A46E217EBE7155A665B1A9856E615199B0AB194A426E61AB109B17805FBFB053171D844096515E7E759E9EB1B1A99EB1900A1A195659180A551AA49B2998941628A8191459AB165151B47C3F72357D99A18A10C000D902F25',1790000000000000);
INSERT INTO "requests" VALUES(X'18F24042984126511F35620D9404887B7FD30EB8D970F2B5E69EA862BFF904A0',X'D49FF5AB54F898E8E890ED003BE5348268833C5805138DF2FEBD6E42994CECA0',X'7801E3D22AA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D473CECF2B494C2E09C8CFCC2B11CAE4924A46E217EB279A15A497A4656595E595240BB1A4E7E7A56AB109301A317170454965949414145BE9EB67E4E76717EBA55624E616E4A4EA6B01419140AA65A2B1A985999989659A6162B28169151B47C3F72357D99A18A10C00613132FB',1790000000000000);
INSERT INTO "requests" VALUES(X'CCA902DFEA458F29ED60483C8C7F7DAE0D0040CBBF61750167ACD6A38DD6D6D8',X'4611C8EF05D64A003407EDB3DF80C0A352047C56A86C7B403DD6715D62E2A320',X'7801E3D22AA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D473CECF2B494C2E09C8CFCC2B114AE4924A46E217EB1B18659918A6E699A527152509B1A49496545A09710928B1252A94A4569468B171347C3F72952D0ACA2F124831323437B034B130B04CB134493132AF82AA6862843200CA77309F',1790000000000000);
INSERT INTO "requests" VALUES(X'49059CE76A4D97E708F2676E56D8A8A3EC89AF6E7FEF8FDAA2E7F9A3E7443B9D',X'80EEB5E02BACE8F475851FE75A3CA9577C978C3FFB9CCC96FBFD6283574E0F7E',X'78015D8A3D0E8230184023FE914E86D1A003938BD0961FC151E3EE154AADB5A85F913646378FE0613C8257F02CAE2E2E3ABDE4BD87A6F65A8B506A2D0F82D5CA845C1F23ABB951109E49B8329C1D98551A963BA6C07BB4D048FC3A13CD627AC179C3E202A8D7A99914C1DCCBD1906BB08CDBB556604D04A7625FE0F40A4D9CFE374CAB8408C864D994411F7551DBBDFBC1D8F3FF4796D5D26EABEA0C96071DEAB8CEA44507042739C6C5264B4892624EE63DF7F67EBE7A8B2F3F38D34901',1790000000000000);
INSERT INTO "requests" VALUES(X'8B534174EE273E90520D4E235F231E0CF46BAE13FF0D2BE9358977737AD10734',X'ED42C2CBAEFAB4444FC26F59778794B51E2621AE564090DB05B612720794635F',X'7801E3D22DA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D4732D4E4ECC492CC9CCCF73CE48CCCC130AE4924D45152AD6CF484ACCCEA84A4B36CB4836106229CEC92F57E2E062E362E16858CC6A2460699C946C666C6C609062696A98629062C5C6D1F0FDC8553627280D0071072B8C',1790000000000000);
INSERT INTO "requests" VALUES(X'AD3FA4DC9FE8449EBE5B0D41A22AE4E1420D77A78B095FE5BFC7B88BA2E13C2D',X'3585CEC12708395C57681B8C97020A6550F3DDA097A4BE7BB6369C046D22A659',X'7801E3522AA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D4F3CB2F491572E7124DCC492D2A712FCA2F2D28D637D6CF038A16EB1B0AF19764A42AA4641667EB2824A62766E6493127A6242A7173FCFC7EE42A9B40C3A1EBFA5AC81C002C7A2832',1790000121100000);
INSERT INTO "requests" VALUES(X'C2B78D516337369479B14634AFE125005233589E3E88C2EE97834E96CF873F2C',X'60F6664260D388E9D13628DBDFDBA87673856FD7FFA6802EA4B7D0C4DDA15700',X'7801E3522BA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D4732CC80CC9CF4ECD1332E512034A83D9C5FA29C696869546D9599629C9E942ECE9458969897989128C5ADC1C3FBF1FB9CA26D070E8BABE1173624A22002DD82142',1790000121100000);
INSERT INTO "requests" VALUES(X'98813709C5B31445E650FBBDACC9E513083167D47EF0BC3F09A8C0CA4F6472AD',X'53BA77065CC7DF43F166D20659D71F7AE2D982AC4C56AAE02B0B4730A25DE0BD',X'7801E3522EA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D40BCA2F2D4915CAE1D2CDCC2B494D2F4A2CC9CCCF2BD6372E29CC2E29CB4B4F4ACF33D42F022929D64F4F4FAFB4CC2B29CE2E342F92E22F4E2D4B2DCA2CA9B4552A484C4F55321230373349363735B248364A31B330304CB1E2E6F8F9FDC85536818643D7F59D90390053DC3666',1790000121100000);
INSERT INTO "requests" VALUES(X'EF8EC30FEE0D452B7188C745E84F84678C4B52FA8E0FFD48BA9DD492D5F8D451',X'0455DCA8883E6E1FBA365405D9DE68119AA1D522548FA7F29DC20B461B63773D',X'7801E3522EA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D40BCA2F2D49159AC4C8A59B9957929A5E945892999F57AC6F5C52985D5296979E949E67A85F045253AC6F5E689466915B5C5652686421259298935A549297989B6AABE492599CED569A93A3A4C16824609C9A6C90689496989C9464609E64646EC5CDF1F3FB91AB6C020D87AEEB3B2173BC64538B931373C0363A67246602ADCD484ACCCEA84A4B36CB483600005D9C442F',1790000121100000);
INSERT INTO "requests" VALUES(X'FAB195ED431684CE36B69BA9602111EE453D1454E34E023BA018CC14120C5A88',X'AFAA8F8BE7E545B3D8F0DAA292088779CC8F78FDD4DC81D6D1F7BCFC882720AA',X'7801E3522EA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D40BCA2F2D4915CAE0D2CDCC2B494D2F4A2CC9CCCF2BD6372E29CC2E29CB4B4F4ACF33D42F022929D63748CA30CBAE2A4FAA34C92A96E22C494DCCB5554A4952D2603212304A4B4936B4B434324E4EB430353033B5E2E6F8F9FDC85536818643D7F59D9039003E0E33BF',1790000121100000);
INSERT INTO "requests" VALUES(X'F90FED178A1F1705BA5494F7AF2568525293CAA8DB665D6766E9C34FDD6E91E6',X'F5F251D53ACF49DBB4D26F1B1A63DBF0EFA4E20B788E82A6B3A5F5D9BDC9836C',X'7801E3322EA92C48D54BCFCF4FCF494D2CC82CD64BCECFD52FC94F2ECECCD32B33D40B4ECD4B7149CDCD77CC492D2A094A2D2EC8CF2B4E1512E0E24B0409B817E5971614EB1B9A02009CEF1944',1790000121100000);
CREATE TABLE routes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    public_id TEXT NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    condition TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, chain_id INTEGER REFERENCES escalation_chains (id), notify_on_resolve INTEGER NOT NULL DEFAULT 0,
    UNIQUE (integration_id, public_id)
) STRICT;
INSERT INTO "routes" VALUES(2,2,'7q2f8msvtq28',0,1,'alertname="DiskFull"','',1790000121100000,1790000121100000,2,0);
INSERT INTO "routes" VALUES(3,2,'0bh6kzwby4js',1,1,'team="db"','',1790000121100000,1790000121100000,NULL,0);
CREATE TABLE shifts (
    id INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 2),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    people TEXT NOT NULL,
    CHECK (ends_at > starts_at)
) STRICT;
INSERT INTO "shifts" VALUES(1,4,1,1788998400000000,1789603200000000,'["anna"]');
INSERT INTO "shifts" VALUES(2,4,1,1789603200000000,1790208000000000,'["anna"]');
INSERT INTO "shifts" VALUES(3,4,1,1790208000000000,1790812800000000,'["anna"]');
INSERT INTO "shifts" VALUES(4,4,1,1790812800000000,1791417600000000,'["anna"]');
INSERT INTO "shifts" VALUES(5,4,1,1791417600000000,1792022400000000,'["anna"]');
INSERT INTO "shifts" VALUES(6,4,1,1792022400000000,1792627200000000,'["anna"]');
INSERT INTO "shifts" VALUES(7,4,1,1792627200000000,1793232000000000,'["anna"]');
INSERT INTO "shifts" VALUES(8,4,1,1793232000000000,1793836800000000,'["anna"]');
INSERT INTO "shifts" VALUES(9,4,1,1793836800000000,1794441600000000,'["anna"]');
INSERT INTO "shifts" VALUES(10,4,1,1794441600000000,1795046400000000,'["anna"]');
INSERT INTO "shifts" VALUES(11,4,1,1795046400000000,1795651200000000,'["anna"]');
CREATE UNIQUE INDEX integrations_by_name ON integrations (display_name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX alert_groups_by_identity ON alert_groups (identity, standing);
CREATE INDEX alert_groups_resolved ON alert_groups (integration_id, state_since) WHERE state = 4;
CREATE INDEX alert_groups_by_state ON alert_groups (state, created_at);
CREATE INDEX alert_groups_by_integration ON alert_groups (integration_id, state, created_at);
CREATE INDEX events_by_group ON events (group_id, id);
CREATE INDEX events_of_deletion ON events (at) WHERE kind = 15;
CREATE INDEX notes_by_group ON notes (group_id, id);
CREATE INDEX audit_entries_by_resource ON audit_entries (resource, id);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, id);
CREATE INDEX audit_entries_by_time ON audit_entries (at);
CREATE INDEX requests_by_time ON requests (at);
CREATE TRIGGER payloads_have_groups BEFORE INSERT ON payloads
WHEN NOT EXISTS (SELECT 1 FROM alert_groups WHERE id = new.id / 2)
BEGIN SELECT raise(ABORT, 'FOREIGN KEY constraint failed: payloads'); END;
CREATE TRIGGER groups_keep_payloads BEFORE DELETE ON alert_groups
WHEN EXISTS (SELECT 1 FROM payloads WHERE id BETWEEN 2 * old.id AND 2 * old.id + 1)
BEGIN SELECT raise(ABORT, 'FOREIGN KEY constraint failed: payloads'); END;
CREATE INDEX routes_in_order ON routes (integration_id, position);
CREATE INDEX alert_groups_collected ON alert_groups (collected_by, state) WHERE collected_by IS NOT NULL;
CREATE UNIQUE INDEX contact_points_by_name ON contact_points (display_name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX escalation_chains_default ON escalation_chains (is_default) WHERE is_default = 1;
CREATE INDEX messages_by_group ON messages (group_id, id);
CREATE INDEX messages_open ON messages (id) WHERE state <= 2;
CREATE INDEX messages_dead ON messages (id) WHERE state = 4;
CREATE INDEX shifts_in_time ON shifts (contact_id, role, ends_at, starts_at);
CREATE INDEX contact_points_by_call ON contact_points (kind, display_name, aliases, deleted_at) WHERE deleted_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',54);
INSERT INTO "sqlite_sequence" VALUES('integrations',9);
INSERT INTO "sqlite_sequence" VALUES('contact_points',4);
INSERT INTO "sqlite_sequence" VALUES('audit_entries',35);
INSERT INTO "sqlite_sequence" VALUES('chain_versions',4);
INSERT INTO "sqlite_sequence" VALUES('escalation_chains',2);
INSERT INTO "sqlite_sequence" VALUES('alert_groups',17);
INSERT INTO "sqlite_sequence" VALUES('messages',9);
INSERT INTO "sqlite_sequence" VALUES('notes',1);
INSERT INTO "sqlite_sequence" VALUES('api_tokens',1);
INSERT INTO "sqlite_sequence" VALUES('routes',3);
PRAGMA user_version = 4;
COMMIT;
