"""The lab's base configuration of Asterisk: what a private PBX on loopback needs before provisioning.

Whatever is provisioned goes to `<etc>/contactcentre/*.conf`, which the files here include at their end.
"""

from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.errors import LabError
from contactcentre.lab.install import Asterisk
from contactcentre.lab.ports import Ports
from contactcentre.lab.switch import Directories

TRUNK = "lab"
TRUNK_CONTEXT = "from-lab"
ENTRY_CONTEXT = "contactcentre-in"
ARI_USER = "contactcentre"


@dataclass(frozen=True)
class AsteriskDirectories(Directories):
    """Refuses a state directory that Asterisk could not use."""

    def __post_init__(self) -> None:
        if not str(self.state).isprintable() or ";" in str(self.state):
            raise LabError(f"state directory {str(self.state)!r}: ';' and control characters cannot be in a .conf")
        # sun_path of unix(7) holds 107 characters, and asterisk would cut the name silently
        if len(str(self.run / "asterisk.ctl")) > 107:
            raise LabError(f"state directory {self.state}: too long for a control socket (at most 90 characters)")


_MODULES = """
app_bridgewait app_channelredirect app_chanspy app_confbridge app_db app_dial app_echo app_minivm app_mixmonitor
app_originate app_playback app_playtones app_queue app_read app_record app_senddtmf app_softhangup app_stack app_stasis
app_system app_transfer app_userevent app_verbose app_while bridge_builtin_features bridge_builtin_interval_features
bridge_holding bridge_native_rtp bridge_simple bridge_softmix chan_audiosocket chan_bridge_media chan_pjsip
chan_rtp chan_websocket codec_a_mu codec_alaw codec_g722 codec_gsm codec_opus_open_source codec_resample
codec_ulaw format_gsm format_pcm format_sln format_wav format_wav_gsm
func_base64 func_callerid func_channel func_config func_cut func_db func_devstate func_dialplan func_env
func_global func_groupcount func_hangupcause func_jitterbuffer func_json func_logic func_math func_module
func_periodic_hook func_pjsip_aor func_pjsip_contact func_pjsip_endpoint func_presencestate func_rand
func_sorcery func_sprintf func_strings func_sysinfo func_talkdetect func_timeout func_uri func_uuid
func_volume pbx_config res_ari res_ari_applications res_ari_asterisk res_ari_bridges res_ari_channels
res_ari_device_states res_ari_endpoints res_ari_events res_ari_model res_ari_playbacks res_ari_recordings
res_ari_sounds res_audiosocket res_clioriginate res_crypto res_curl res_format_attr_opus
res_http_media_cache res_http_websocket res_musiconhold res_mutestream res_pjproject res_pjsip
res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_dialog_info_body_generator res_pjsip_diversion
res_pjsip_dlg_options res_pjsip_dtmf_info res_pjsip_empty_info res_pjsip_endpoint_identifier_anonymous
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_exten_state
res_pjsip_header_funcs res_pjsip_logger res_pjsip_messaging res_pjsip_mwi res_pjsip_mwi_body_generator
res_pjsip_nat res_pjsip_notify res_pjsip_one_touch_record_info res_pjsip_outbound_authenticator_digest
res_pjsip_outbound_publish res_pjsip_outbound_registration res_pjsip_path res_pjsip_pidf_body_generator
res_pjsip_pubsub res_pjsip_refer res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp res_pjsip_session
res_pjsip_transport_websocket res_pjsip_xpidf_body_generator res_rtp_asterisk res_rtp_multicast
res_sorcery_astdb res_sorcery_config res_sorcery_memory res_srtp res_stasis res_stasis_answer
res_stasis_device_state res_stasis_playback res_stasis_recording res_stasis_snoop res_timing_timerfd
res_websocket_client
"""

_MODULES_HEAD = "[modules]\nautoload = no\n"

_ASTERISK = """[directories]
astetcdir = {d.etc}
astmoddir = {module_dir}
astvarlibdir = {d.data}
astdbdir = {d.db}
astkeydir = {d.data}
astdatadir = {d.data}
astagidir = {d.data}/agi-bin
astspooldir = {d.spool}
astrundir = {d.run}
astlogdir = {d.log}

[options]
verbose = 3
documentation_language = en_US
systemname = lab
transmit_silence = yes
hideconnect = yes
"""

_STASIS = """[declined_message_types]
; two thirds of the events that Asterisk writes for an application, which filters them out (docs/admin.rst)
decline = ast_channel_varset_type
"""

_LOGGER = """[general]
dateformat = %F %T.%3q

[logfiles]
messages = notice,warning,error,verbose(3)
"""

_HTTP = """[general]
enabled = yes
bindaddr = 127.0.0.1
bindport = {p.control}
sessionlimit = 500
session_keep_alive = 60000
"""

_RTP = """[general]
rtpstart = {p.rtp_first}
rtpend = {p.rtp_last}
icesupport = yes
strictrtp = yes
"""

_PJSIP = """[global]
type = global
user_agent = contactcentre-lab
; A registered phone and a caller of the trunk both come from 127.0.0.1: who names an endpoint is that
; endpoint (and must prove it), everybody else is the trunk.
endpoint_identifier_order = username,auth_username,ip

[system]
type = system
timer_t1 = 500
timer_b = 32000
threadpool_initial_size = 10
threadpool_auto_increment = 5
threadpool_idle_timeout = 120
threadpool_max_size = 50

[transport-udp]
type = transport
protocol = udp
bind = 127.0.0.1:{p.sip}

[transport-ws]
type = transport
protocol = ws
bind = 127.0.0.1

[lab]
type = endpoint
transport = transport-udp
context = from-lab
disallow = all
allow = ulaw,alaw
dtmf_mode = rfc4733
direct_media = no
rtp_symmetric = yes
trust_id_inbound = no
allow_transfer = no
use_ptime = yes

[lab]
type = identify
endpoint = lab
match = 127.0.0.1

#tryinclude contactcentre/pjsip.conf
"""

_ARI = """[general]
enabled = yes
websocket_write_timeout = 5000

[contactcentre]
type = user
read_only = no
password_format = plain
password = {ari_secret}

#tryinclude contactcentre/ari.conf
"""

_WEBSOCKET_CLIENT = "#tryinclude contactcentre/websocket_client.conf\n"

_EXTENSIONS = """[general]
static = yes
writeprotect = yes
autofallthrough = yes
clearglobalvars = no

[globals]

; Calls from the lab's own trunk. What was dialled is the caller's to choose: only what can be a
; number goes on.
[from-lab]
exten = _[0-9+*#]!,1,Set(DIALLED=${{FILTER(0-9+*#,${{EXTEN}})}})
 same = n,GotoIf($["${{DIALLED}}" != "${{EXTEN}}"]?unknown)
 same = n,GotoIf(${{DIALPLAN_EXISTS(contactcentre-in,${{DIALLED}},1)}}?contactcentre-in,${{DIALLED}},1)
 same = n(unknown),Hangup(1)

#tryinclude contactcentre/extensions.conf
"""

_QUEUES = """[general]
persistentmembers = no
autofill = yes
shared_lastcall = no
log_membername_as_agent = yes

#tryinclude contactcentre/queues.conf
"""

_MUSIC = """[general]
cachertclasses = no

[default]
mode = files
directory = {d.data}/moh
sort = random

#tryinclude contactcentre/musiconhold.conf
"""

# What a softphone in the browser signs in with is given through ARI and kept in memory alone.
_SORCERY = """[res_pjsip]
auth = memory
auth = config,pjsip.conf,criteria=type=auth
"""

_INDICATIONS = """[general]
country = fr

[fr]
description = France
ringcadence = 1500,3500
dial = 440
busy = 440/500,0/500
ring = 440/1500,0/3500
congestion = 440/250,0/250
callwaiting = 440/300,0/10000
dialrecall = !350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440
record = 1400/500,0/15000
info = !950/330,!1400/330,!1800/330
stutter = !440/100,!0/100,!440/100,!0/100,!440/100,!0/100,440
"""


_EMPTY = (
    "udptl.conf",
    "features.conf",
    "minivm.conf",
    "confbridge.conf",
    "ccss.conf",
    "res_http_media_cache.conf",
    "queuerules.conf",
)
_BLANK = (
    "acl.conf",
    "pjproject.conf",
    "chan_websocket.conf",
    "pjsip_notify.conf",
)


def base_files(asterisk: Asterisk, directories: Directories, ports: Ports, ari_secret: str) -> dict[str, str]:
    """The name and text of every base .conf file."""
    present = [name for name in _MODULES.split() if (asterisk.module_dir / f"{name}.so").exists()]
    known = {
        "d": directories,
        "p": ports,
        "module_dir": asterisk.module_dir,
        "ari_secret": ari_secret,
    }
    return {
        "asterisk.conf": _ASTERISK.format(**known),
        "modules.conf": _MODULES_HEAD + "".join(f"load = {name}.so\n" for name in present),
        "logger.conf": _LOGGER,
        "http.conf": _HTTP.format(**known),
        "rtp.conf": _RTP.format(**known),
        "pjsip.conf": _PJSIP.format(**known),
        "ari.conf": _ARI.format(**known),
        "websocket_client.conf": _WEBSOCKET_CLIENT,
        "extensions.conf": _EXTENSIONS.format(**known),
        "queues.conf": _QUEUES,
        "musiconhold.conf": _MUSIC.format(**known),
        "indications.conf": _INDICATIONS,
        "sorcery.conf": _SORCERY,
        "cdr.conf": "[general]\nenable = no\n",
        "cel.conf": "[general]\nenable = no\n",
        "stasis.conf": _STASIS,
        # read by what is loaded: an empty file is its defaults, a missing one an error in the log
        **dict.fromkeys(_EMPTY, "[general]\n"),
        **dict.fromkeys(_BLANK, "; the defaults\n"),
    }


def write_base(asterisk: Asterisk, directories: Directories, ports: Ports, ari_secret: str) -> None:
    """Write the base configuration and lay out the directories; what is provisioned or recorded stays."""
    d = directories
    for made in (
        d.provisioned,
        d.sounds,
        d.recordings,
        d.run,
        d.log / "cdr-csv",
        d.db,
        d.spool / "tmp",
    ):
        made.mkdir(parents=True, exist_ok=True)
    for private in (d.etc, d.spool, d.log, d.db, d.run):  # secrets, recordings, callers' numbers
        private.chmod(0o700)
    for name, text in base_files(asterisk, d, ports, ari_secret).items():
        target = d.etc / name
        target.touch(mode=0o600)
        target.write_text(text)
    for entry in asterisk.data_dir.iterdir():
        if entry.name != "sounds":
            _link(d.data / entry.name, entry)
    # Debian names a directory after its speaker (`fr_CA_f_June`), Asterisk looks for the language (`fr`).
    for voice in sorted((asterisk.data_dir / "sounds").glob("*")):
        if voice.is_dir() and not voice.is_symlink():
            _link(d.sounds / voice.name.split("_")[0], voice)


def _link(name: Path, target: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)
