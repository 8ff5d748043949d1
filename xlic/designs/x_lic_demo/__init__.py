"""The INT16 datapath of the public X-LIC demo, bit by bit.

Facts are from the X-LIC repository (MIT, https://github.com/sjtu-tcloud/X-LIC); what they leave
open was found by comparing with what the demo's own tools wrote (docs/x_lic_demo.md).
"""
