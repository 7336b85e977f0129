"""A face whose points are moved by action units: what moves where is in tables, and the kernel is numpy."""
